
-- Appended by the emulator. On the service administrators read the list of graphs (langchain-ai/langchain #29466 gets on
-- once its LOAD is taken out); whether they may grant that is unverified. The schema belongs to whoever creates age.
GRANT SELECT ON ag_catalog.ag_graph, ag_catalog.ag_label TO azure_pg_admin WITH GRANT OPTION;
