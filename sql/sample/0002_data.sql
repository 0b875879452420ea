-- The sample's rows, made by a seeded generator: every choice is a hash of the seed, the row and the slot, so every
-- database gets the same text. Some texts are empty, a few are very long, and standard clauses repeat word for word.

CREATE FUNCTION pg_temp.dice(seed text, sides bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT ('x' || substr(md5('contracts-1/' || seed), 1, 8))::bit(32)::bigint % sides
$$;

CREATE FUNCTION pg_temp.pick(choices text[], seed text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT choices[1 + pg_temp.dice(seed, cardinality(choices))]
$$;

-- Fills the slots of a sentence, for example {days} or {system}, each with a choice of its own.
CREATE FUNCTION pg_temp.fill(sentence text, seed text) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    slot text;
    filled text := sentence;
BEGIN
    FOR slot IN SELECT DISTINCT m[1] FROM regexp_matches(sentence, '\{(\w+)\}', 'g') AS m ORDER BY 1 LOOP
        filled := replace(filled, '{' || slot || '}', CASE slot
            WHEN 'days' THEN pg_temp.pick('{5,7,10,14,15,20,30,45,60,90}', seed || slot)
            WHEN 'hours' THEN pg_temp.pick('{2,4,8,12,24,48,72}', seed || slot)
            WHEN 'months' THEN pg_temp.pick('{3,6,9,12,18,24,36}', seed || slot)
            WHEN 'percent' THEN pg_temp.pick('{0.5,1,1.5,2,2.5,3,5,8,10,15}', seed || slot)
            WHEN 'cap' THEN pg_temp.pick('{10,12,15,20,25,100,150}', seed || slot)
            WHEN 'amount' THEN to_char(5000 + 2500 * pg_temp.dice(seed || slot, 200), 'FM999,999,999')
            WHEN 'count' THEN (2 + pg_temp.dice(seed || slot, 38))::text
            WHEN 'period' THEN pg_temp.pick('{January,February,March,April,May,June,July,August,September,October,November,December}', seed || slot)
            WHEN 'site' THEN pg_temp.pick(ARRAY['the Rotterdam warehouse', 'the Lyon assembly plant', 'the Leeds distribution centre', 'the Porto laboratory',
                'the Gdansk shipyard', 'the Austin office', 'the Nagoya test track', 'the Tampere paper mill', 'the Durban terminal', 'the Quito call centre'], seed || slot)
            WHEN 'system' THEN pg_temp.pick(ARRAY['the order portal', 'the payroll interface', 'the fleet telemetry platform', 'the document archive', 'the customer data platform',
                'the claims workflow', 'the warehouse scanners', 'the identity service', 'the reporting cube', 'the building controls', 'the laboratory information system'], seed || slot)
            WHEN 'work' THEN pg_temp.pick(ARRAY['requirements workshop', 'data migration rehearsal', 'penetration test', 'installation of racking', 'forklift maintenance',
                'user training', 'interface mapping', 'code review', 'cold-chain audit', 'roof inspection', 'translation of manuals', 'load test', 'cable survey',
                'accessibility review', 'catering for the steering meeting', 'replacement of sensors', 'safety briefing', 'network redesign'], seed || slot)
            WHEN 'role' THEN pg_temp.pick(ARRAY['solution architect', 'site engineer', 'project manager', 'data analyst', 'electrician', 'technical writer', 'security consultant',
                'logistics planner', 'field technician', 'quality inspector', 'service desk agent', 'database administrator'], seed || slot)
            WHEN 'goods' THEN pg_temp.pick(ARRAY['barcode scanners', 'fibre patch leads', 'air filters', 'safety harnesses', 'server rails', 'pallet jacks', 'label rolls',
                'temperature loggers', 'hydraulic hoses', 'access badges', 'battery modules', 'conveyor belts', 'floor markings', 'spare lamps'], seed || slot)
            WHEN 'expense' THEN pg_temp.pick(ARRAY['train travel', 'hotel nights', 'courier charges', 'customs duty', 'equipment hire', 'parking', 'visa fees', 'licence renewal'], seed || slot)
            ELSE slot END);
    END LOOP;
    RETURN upper(left(filled, 1)) || substr(filled, 2);
END
$$;

CREATE TEMPORARY TABLE clauses (topic integer, heading text, sentences text[]) ON COMMIT DROP;
INSERT INTO clauses VALUES
(1, 'Scope of services', ARRAY[
    'The vendor shall design, build and hand over {system}, including every interface listed in the annex.',
    'Work at {site} is limited to the areas marked on the plan; anything beyond it is a change.',
    'The services include one {work} in each quarter and a written summary within {days} days of it.',
    'Licences for third-party software are outside this statement unless the annex names them.',
    'The vendor provides at least {count} named specialists, of whom one acts as {role} for the whole term.',
    'The customer gives access to {site} on working days and to {system} at any hour.']),
(2, 'Late delivery and penalties', ARRAY[
    'If a milestone is missed by more than {days} days, the vendor owes a penalty of {percent} percent of its price for each week of delay.',
    'Penalties for late delivery are capped at {cap} percent of the value of the delayed milestone.',
    'No penalty is due while the delay was caused by late access to {site} or by missing test data.',
    'After {days} days of delay the customer may cancel the milestone and recover what was paid for it.',
    'The vendor shall announce any expected delay in writing at least {days} days before the due date.',
    'Liquidated damages are set off against the next invoice and do not exclude a claim for further loss.']),
(3, 'Payment terms', ARRAY[
    'Invoices are payable within {days} days of receipt, provided that the milestone has been accepted.',
    'Undisputed amounts that are overdue bear interest of {percent} percent a month.',
    'The fee is fixed at {amount} and covers all travel except journeys to {site}.',
    'Time and materials are billed monthly in arrears with a signed record of hours for each {role}.',
    'A retention of {cap} percent is kept back until the end of the warranty.',
    'The customer may withhold a disputed part of an invoice if it gives its reasons within {days} days.']),
(4, 'Acceptance criteria', ARRAY[
    'A deliverable is accepted when all critical tests pass and no more than {count} minor defects are open.',
    'The customer tests within {days} days; silence after that counts as acceptance.',
    'Acceptance of {system} requires a {work} with results signed by both parties.',
    'A rejected deliverable is corrected at the vendor''s cost and submitted again within {days} days.',
    'Partial acceptance is possible for each warehouse, office or plant that goes live on its own.',
    'Performance is accepted if {system} answers {count} concurrent users within the agreed time.']),
(5, 'Warranty', ARRAY[
    'The vendor warrants the deliverables for {months} months after final acceptance.',
    'Defects reported in that time are repaired free of charge, the critical ones within {hours} hours.',
    'The warranty on {goods} follows the maker''s terms but is never shorter than {months} months.',
    'Wear parts and damage by improper use at {site} are excluded.',
    'If a defect returns twice, the customer may ask for a replacement or a reduction of the price.']),
(6, 'Confidentiality', ARRAY[
    'Each party keeps the other''s confidential information secret for {months} months after the end of this statement.',
    'Information may be shared with subcontractors only under terms at least as strict as these.',
    'On request, copies are returned or destroyed within {days} days and the destruction is confirmed in writing.',
    'What was public, already known or found independently is not confidential.']),
(7, 'Data protection', ARRAY[
    'Personal data in {system} is processed only on documented instructions and never leaves the agreed region.',
    'A breach of personal data is reported within {hours} hours of its discovery.',
    'The vendor keeps a register of sub-processors and announces changes {days} days ahead.',
    'Backups that hold personal data are encrypted and deleted after {days} days.',
    'Test environments use masked or synthetic data only.']),
(8, 'Service levels and support', ARRAY[
    '{system} is available for all but {hours} hours of each month, planned maintenance excepted.',
    'Incidents of the highest priority are answered within {hours} hours, around the clock.',
    'A service credit of {percent} percent of the monthly fee is due for each level missed.',
    'The service desk is staffed on working days and escalates to the {role} on duty.',
    'Root cause reports follow within {days} days of every major incident.']),
(9, 'Termination', ARRAY[
    'Either party may end this statement with {days} days of notice at the end of a month.',
    'The customer may terminate at once for a material breach that is not cured within {days} days.',
    'On termination the vendor hands over all work in progress and is paid for what was accepted.',
    'An early exit by the customer costs {percent} percent of the remaining fee.',
    'Insolvency or a change of control allows termination without notice.']),
(10, 'Liability and insurance', ARRAY[
    'Liability is limited to {cap} percent of the annual fee, except for intent and gross negligence.',
    'The vendor carries professional insurance of at least {amount} and proves it every year.',
    'Neither party is liable for lost profit unless the loss was foreseeable at signature.',
    'Damage to {goods} in transit is borne by the vendor until they are signed for at {site}.']),
(11, 'Change control', ARRAY[
    'A change is ordered only by a signed request that states cost, time and effect on other milestones.',
    'The vendor estimates a change within {days} days; estimates above {amount} need the approval of the steering group.',
    'Until a change is signed the work goes on as it was agreed.',
    'Urgent changes to {system} may be ordered by message and are confirmed within {hours} hours.']),
(12, 'Intellectual property', ARRAY[
    'Results made for this statement belong to the customer on payment of the milestone.',
    'The vendor keeps its tools and prior works and grants a licence to use them in {system} without limit in time.',
    'Open source components are listed with their licences before each release.',
    'The vendor defends the customer against claims that the deliverables infringe the rights of others.']),
(13, 'Delivery of goods', ARRAY[
    'The vendor delivers {count} lots of {goods} to {site} in the weeks shown in the schedule.',
    'Each lot is packed on returnable pallets and labelled with order, lot and date of manufacture.',
    'Goods that fail inspection are collected within {days} days and replaced without charge.',
    'Title passes on delivery, risk only after inspection.',
    'Deliveries outside the booked slot may be turned away at the gate.']),
(14, 'Site rules and safety', ARRAY[
    'Staff of the vendor complete a safety briefing before they enter {site}.',
    'Work at height needs a permit and a second person on the ground.',
    'Accidents and near misses are reported to the {role} on the same day.',
    'Hot work is allowed only between {hours} hours before and after the watch has been agreed.',
    'Protective equipment, {goods} included, is supplied by the vendor.']),
(15, 'Governance and reporting', ARRAY[
    'The steering group meets every {days} days and decides on risks, changes and budget.',
    'The {role} sends a report each month with progress, open risks and the forecast to completion.',
    'Either side may call an extra meeting with {hours} hours of notice.',
    'Decisions are minuted and binding once both sides have signed them.']),
(16, 'Staffing and subcontracting', ARRAY[
    'The {role} may be replaced only with consent and after an overlap of {days} days at no charge.',
    'Subcontractors need prior approval and remain the vendor''s responsibility.',
    'Nobody who works at {site} may be placed elsewhere by the customer for {months} months.',
    'Background checks are completed before access to {system} is given.']),
(17, 'Training and handover', ARRAY[
    'The vendor trains {count} key users and leaves the material in an editable form.',
    'Handover includes operating manuals, a list of known defects and the keys to every environment.',
    'During {days} days after go-live the project team stays reachable on site.',
    'Training at {site} is given in two shifts so that operations can go on.']),
(18, 'Environmental requirements', ARRAY[
    'Packaging is reusable or recyclable, and the vendor takes it back free of charge.',
    'Vehicles that serve {site} meet the current emission class from {period} on.',
    'The vendor reports energy used by {system} and by transport every {months} months.',
    'Hazardous waste, spent {goods} included, is handed to a licensed carrier with a record.']);

INSERT INTO public.vendors (name, category, country, description)
SELECT pg_temp.pick(ARRAY['Northgate', 'Silver Birch', 'Harbour Line', 'Kestrel', 'Redstone', 'Blue Mesa', 'Lantern', 'Old Mill', 'Saltmarsh', 'Juniper'], 'vendor name' || i)
           || ' ' || (ARRAY['Logistics', 'Systems', 'Facilities', 'Instruments', 'Consulting', 'Supplies'])[1 + (i - 1) % 6] || ' ' || to_char(i, 'FM00'),
       (ARRAY['transport', 'software', 'building services', 'laboratory equipment', 'advisory', 'consumables'])[1 + (i - 1) % 6],
       pg_temp.pick(ARRAY['Netherlands', 'France', 'United Kingdom', 'Portugal', 'Poland', 'United States', 'Japan', 'Finland', 'South Africa', 'Ecuador'], 'vendor country' || i),
       CASE WHEN pg_temp.dice('vendor silent' || i, 12) = 0 THEN NULL ELSE pg_temp.fill(
           'Supplier with {count} employees, known for {work} and for work on {system}. Serves {site} and bills in {days} days.', 'vendor description' || i) END
FROM generate_series(1, 60) AS i;

INSERT INTO public.statements_of_work (vendor_id, number, title, starts_on, ends_on, budget)
SELECT v.id, 'SOW-' || to_char(1000 + i, 'FM0000'),
       pg_temp.fill('{work} and support for {system}', 'sow title' || i),
       date '2025-01-06' + (7 * pg_temp.dice('sow start' || i, 80))::integer,
       date '2025-01-06' + (7 * pg_temp.dice('sow start' || i, 80))::integer + (90 + 30 * pg_temp.dice('sow length' || i, 12))::integer,
       20000 + 500 * pg_temp.dice('sow budget' || i, 900)
FROM generate_series(1, 240) AS i
JOIN LATERAL (SELECT id FROM public.vendors ORDER BY id OFFSET pg_temp.dice('sow vendor' || i, 60) LIMIT 1) AS v ON true;

-- Nine clauses a statement, of three to six sentences. Confidentiality is a standard text, the same in every statement of a year.
INSERT INTO public.statement_chunks (statement_id, position, heading, content)
SELECT s.id, p, c.heading,
       CASE
           WHEN pg_temp.dice('chunk empty' || s.id || '/' || p, 90) = 0 THEN ''
           WHEN c.topic = 6 THEN (SELECT string_agg(pg_temp.fill(t, 'standard ' || extract(year FROM s.starts_on) || n), ' ' ORDER BY n) FROM unnest(c.sentences) WITH ORDINALITY AS u(t, n))
           ELSE (SELECT string_agg(pg_temp.fill(c.sentences[1 + (pg_temp.dice('chunk start' || s.id || '/' || p, 6) + n) % cardinality(c.sentences)],
                                                'chunk slot' || s.id || '/' || p || '/' || n), ' ' ORDER BY n)
                 FROM generate_series(1, CASE WHEN (s.id * 9 + p) % 700 = 0 THEN 220
                                              ELSE least(3 + pg_temp.dice('chunk length' || s.id || '/' || p, 4), cardinality(c.sentences)) END) AS n)
       END
FROM public.statements_of_work AS s
CROSS JOIN generate_series(1, 9) AS p
JOIN clauses AS c ON c.topic = 1 + (p * 7 + pg_temp.dice('chunk topics' || s.id, 18)) % 18;

INSERT INTO public.invoices (statement_id, number, issued_on, due_on, status)
SELECT s.id, 'INV-' || to_char(s.id * 10 + i, 'FM000000'), s.starts_on + (30 * i)::integer, s.starts_on + (30 * i + 30)::integer,
       pg_temp.pick('{received,approved,approved,paid,paid,paid,disputed}', 'invoice status' || s.id || '/' || i)
FROM public.statements_of_work AS s CROSS JOIN generate_series(1, 4) AS i;

INSERT INTO public.line_items (invoice_id, position, description, quantity, unit_price)
SELECT v.id, p,
       CASE WHEN pg_temp.dice('item empty' || v.id || '/' || p, 60) = 0 THEN pg_temp.pick(ARRAY['', NULL, '   '], 'item void' || v.id || '/' || p)
       ELSE pg_temp.fill(pg_temp.pick(ARRAY[
           'Delivery of {goods} to {site}', '{role}, {hours} hours of {work} in {period}', 'Monthly fee for {system}, {period}', '{work} at {site}',
           'Reimbursement of {expense}, {period}', 'Penalty for late delivery of {goods}, {percent} percent a week', 'Credit for missed service level of {system}',
           'Milestone {count}: {work} for {system} accepted', 'Standby of one {role} on {days} days', 'Repair and replacement of {goods} under warranty, {site}',
           'Licence for {system}, {count} users, {months} months', 'Storage of {goods} at {site}, {days} days'],
           'item text' || v.id || '/' || p), 'item slot' || v.id || '/' || p) END,
       1 + pg_temp.dice('item quantity' || v.id || '/' || p, 40), 15 + pg_temp.dice('item price' || v.id || '/' || p, 1800)
FROM public.invoices AS v CROSS JOIN LATERAL generate_series(1, 2 + pg_temp.dice('item count' || v.id, 4)) AS p;

INSERT INTO public.validation_results (invoice_id, passed, result)
SELECT v.id, o.outcome < 5, pg_temp.fill((ARRAY[
           'All lines match the statement of work; the total agrees with milestone {count}.',
           'Hours of the {role} agree with the signed record, and the rate is the one in the price list.',
           'Quantities of {goods} match the delivery notes from {site}.',
           'The invoice is complete and was sent within {days} days of acceptance.',
           'Travel was billed at cost with receipts for {expense}, as the statement allows.',
           'The {work} was billed before the milestone was accepted; payment should be withheld.',
           'The rate for the {role} is {percent} percent above the agreed rate.',
           'A penalty for {days} days of late delivery was not deducted from the invoice.',
           '{goods} billed for {site} were never received; the delivery note is missing.',
           'The expense for {expense} is not covered by the statement of work.'])[1 + o.outcome], 'validation slot' || v.id)
FROM public.invoices AS v CROSS JOIN LATERAL (SELECT pg_temp.dice('validation' || v.id, 10) AS outcome) AS o;

-- So that the first estimate of a job reads true figures from the catalog.
ANALYZE public.vendors, public.statements_of_work, public.statement_chunks, public.invoices, public.line_items, public.validation_results;
