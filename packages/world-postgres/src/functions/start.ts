/**
 * `start`, for triggers and for programs in other languages: a start with values as JSON, which becomes true with the transaction that
 * calls it. It writes a row of the outbox; what a run is made of is the core's to say, which takes the row after the commit.
 *
 * Level: READ COMMITTED. Of several transactions with one key the first has an advisory lock until it ends, and each of the others then
 * finds its row, or the run that was made of it: one statement looks for both, as the row goes when the run comes.
 */
import { LARGEST_VALUE } from "../packing.ts";
import type { Tables } from "../tables.ts";
import { storeNow } from "./clauses.ts";
import { isHeld } from "./names.ts";

/** The text of a notification for a channel that is named in SQL. */
function notify({ channelSource }: Tables, payload: string): string {
  const name = `'perdure_' || left(encode(sha256(convert_to('${channelSource}', 'UTF8')), 'hex'), 20)`;
  return `pg_notify(${name}, '${payload}')`;
}

// As in names of start keys: JavaScript counts a character beyond U+FFFF twice.
const UTF16_LENGTH =
  "length(workflow) + length(regexp_replace(workflow, E'[^\\\\U00010000-\\\\U0010ffff]', '', 'g'))";

/**
 * `start`. The id of a run is `wrun_` and a ULID: ten characters of time and sixteen at random.
 *
 * @param payload what other instances are told
 */
export function startFunction(tables: Tables, payload: string): string {
  const { functions, names, runs, outbox } = tables;
  const lockSource = outbox.replaceAll("'", "''");
  const refuse = (condition: string, message: string, hint: string): string => `
  IF ${condition} THEN
    RAISE EXCEPTION 'perdure start: ${message}' USING ERRCODE = 'invalid_parameter_value', HINT = '${hint}';
  END IF;`;
  return `
CREATE FUNCTION ${functions.start}(workflow text, args jsonb DEFAULT '[]', key text DEFAULT NULL, attributes jsonb DEFAULT NULL,
  start_at timestamptz DEFAULT NULL, ttl interval DEFAULT NULL)
RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  v_at bigint := ${storeNow("NULL::bigint")};
  v_run text;
  v_random bytea := decode(replace(gen_random_uuid()::text, '-', ''), 'hex');
  v_digits text := '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
BEGIN${refuse(
    "coalesce(workflow, '') = ''",
    "workflow must be the id of a workflow",
    "It is what runs have as workflowName, such as workflow//./src/billing//invoice.",
  )}${refuse("args IS NULL", "args must not be NULL", "Leave args out where there are none, or pass a JSON array of them.")}${refuse(
    `octet_length(args::text) > ${LARGEST_VALUE / 2}`,
    `args must not have more than ${LARGEST_VALUE / 2} bytes`,
    "Keep the data elsewhere and pass a reference to it.",
  )}${refuse("length(key) NOT BETWEEN 1 AND 255", "key must have 1 to 255 characters", "Leave key out for a run of its own.")}${refuse(
    "extract(epoch FROM ttl) <= 0",
    "ttl must be longer than nothing",
    "It is how long the key stays with the run, from the start; leave it out for as long as the run is stored.",
  )}${refuse(
    "attributes IS NOT NULL AND jsonb_typeof(attributes) <> 'object'",
    "attributes must be an object of texts",
    'Such as {""customer"": ""cus_1""}.'.replaceAll('""', '"'),
  )}${refuse(
    `EXISTS (SELECT FROM jsonb_each(coalesce(attributes, '{}')) AS a(name, value) WHERE jsonb_typeof(a.value) <> 'string'
      OR a.name = '' OR a.name LIKE '$%' OR length(a.name) > 256 OR length(a.value #>> '{}') > 256)
    OR (SELECT count(*) > 64 FROM jsonb_object_keys(coalesce(attributes, '{}')))`,
    "attributes are at most 64 texts of at most 256 characters",
    "Names have 1 to 256 characters and do not begin with $.",
  )}
  IF key IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock(hashtextextended(format('%s:%s:%s', '${lockSource}', workflow, key), 0));
    SELECT coalesce((
      SELECT r.run_id FROM ${names} n JOIN ${runs} r ON r.id = n.run
      WHERE n.name = replace(format('start:%s:%s:%s', ${UTF16_LENGTH}, workflow, key), chr(1), chr(1) || '1')
        AND ${isHeld("v_at")}
    ), (
      SELECT o.start ->> 'runId' FROM ${outbox} o
      WHERE o.start ->> 'workflow' = workflow AND o.start ->> 'key' = key ORDER BY o.id LIMIT 1
    )) INTO v_run;
    IF v_run IS NOT NULL THEN RETURN v_run; END IF;
  END IF;

  SELECT 'wrun_' || string_agg(substr(v_digits, 1 + CASE WHEN i < 10 THEN ((v_at >> (45 - 5 * i)) & 31)::int
    ELSE get_byte(v_random, i - 10) & 31 END, 1), '' ORDER BY i) INTO v_run
  FROM generate_series(0, 25) AS i;
  INSERT INTO ${outbox} (transaction, start) VALUES (txid_current(), jsonb_build_object(
    'runId', v_run, 'workflow', workflow, 'key', key, 'attributes', attributes, 'at', v_at,
    'startAt', floor(extract(epoch FROM start_at) * 1000)::bigint, 'ttl', ceil(extract(epoch FROM ttl) * 1000)::bigint,
    'args', CASE jsonb_typeof(args) WHEN 'array' THEN args ELSE jsonb_build_array(args) END));
  PERFORM ${notify(tables, payload)};
  RETURN v_run;
END $$;`;
}
