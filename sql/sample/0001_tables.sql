-- The sample domain: what a company buys, from whom, and whether what was billed is what was agreed.
-- Its text columns are what the sample's vectorization jobs embed.

CREATE TABLE public.vendors (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    category    text NOT NULL,
    country     text NOT NULL,
    description text
);

CREATE TABLE public.statements_of_work (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vendor_id  bigint NOT NULL REFERENCES public.vendors,
    number     text NOT NULL UNIQUE,
    title      text NOT NULL,
    starts_on  date NOT NULL,
    ends_on    date NOT NULL,
    budget     numeric(12, 2) NOT NULL,
    CHECK (ends_on > starts_on)
);

CREATE TABLE public.statement_chunks (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    statement_id bigint NOT NULL REFERENCES public.statements_of_work ON DELETE CASCADE,
    position     integer NOT NULL,
    heading      text NOT NULL,
    content      text,
    UNIQUE (statement_id, position)
);

CREATE TABLE public.invoices (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    statement_id bigint NOT NULL REFERENCES public.statements_of_work ON DELETE CASCADE,
    number       text NOT NULL UNIQUE,
    issued_on    date NOT NULL,
    due_on       date NOT NULL,
    status       text NOT NULL CHECK (status IN ('received', 'approved', 'disputed', 'paid'))
);

CREATE TABLE public.line_items (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id  bigint NOT NULL REFERENCES public.invoices ON DELETE CASCADE,
    position    integer NOT NULL,
    description text,
    quantity    numeric(10, 2) NOT NULL,
    unit_price  numeric(12, 2) NOT NULL,
    UNIQUE (invoice_id, position)
);

CREATE TABLE public.validation_results (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id bigint NOT NULL REFERENCES public.invoices ON DELETE CASCADE,
    passed     boolean NOT NULL,
    result     text
);

CREATE INDEX ON public.statements_of_work (vendor_id);
CREATE INDEX ON public.invoices (statement_id);
CREATE INDEX ON public.validation_results (invoice_id);
