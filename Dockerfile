# The standing worker, alone: docs/workers.md says how to run it. It needs PGHOST, PGDATABASE and PGUSER.
FROM python:3.13-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

WORKDIR /opt/postgres-genai
COPY requirements/worker.txt requirements/worker.txt
RUN pip install --no-cache-dir --require-hashes --requirement requirements/worker.txt

COPY database/ database/
COPY sql/ sql/

# By number, so that a cluster can see that it is not root.
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=30s --start-period=30s CMD ["python", "-m", "database.worker", "--check"]
ENTRYPOINT ["python", "-m", "database.worker"]
