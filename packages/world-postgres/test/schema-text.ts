import { createHash } from "node:crypto";
import { superuser } from "./store.ts";

/** What a schema holds, by the database's own catalog, in a form that is the same for every supported version. */
export async function describeSchema(schema: string): Promise<string> {
  const admin = await superuser();
  const lines = async (text: string): Promise<string[]> => {
    const { rows } = await admin.query<{ line: string }>(text, [schema]);
    return rows.map(({ line }) => line.replaceAll(`${schema}.`, "").replaceAll(schema, "<schema>"));
  };
  const columns = await lines(`
    SELECT format('column %s.%s %s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
      CASE WHEN a.attcollation <> t.typcollation THEN ' collate ' || l.collname ELSE '' END,
      CASE WHEN a.attnotnull THEN ' not null' ELSE '' END) AS line
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE n.nspname = $1 AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY c.relname, a.attnum`);
  const options = await lines(`
    SELECT format('table %s with %s', c.relname, array_to_string(c.reloptions, ', ')) AS line
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.reloptions IS NOT NULL ORDER BY c.relname`);
  const indexes = await lines(
    "SELECT indexdef AS line FROM pg_indexes WHERE schemaname = $1 ORDER BY indexname",
  );
  const constraints = await lines(`
    SELECT format('constraint %s: %s', c.conname, pg_get_constraintdef(c.oid)) AS line
    FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
    WHERE n.nspname = $1 AND c.contype IN ('p', 'u', 'f', 'c') ORDER BY c.conname`);
  const functions = await admin.query<{ name: string; head: string; body: string }>(
    `SELECT p.proname AS name, format('%s(%s) returns %s%s', p.proname, pg_get_function_identity_arguments(p.oid),
      pg_get_function_result(p.oid), coalesce(' set ' || array_to_string(p.proconfig, ', '), '')) AS head, p.prosrc AS body
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 ORDER BY p.proname`,
    [schema],
  );
  // The text of a function is in the sources; here its digest shows that a released one was changed.
  const digests = functions.rows.map(({ head, body }) => {
    const text = body.replaceAll(schema, "<schema>");
    return `function ${head}: ${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
  });
  return `${[...columns, ...options, ...indexes, ...constraints, ...digests].join("\n")}\n`;
}
