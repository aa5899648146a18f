/**
 * The index of runs by their attributes: one row for each attribute of each run. Written in the transaction that writes the
 * run's row, and only where attributes change.
 */
import { type Attributes, attributeKeys, attributesToText } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import type { Tables } from "./tables.ts";

/** Gives a run, which is stored, these attributes in place of those that it had. */
export type WriteAttributes = (run: number, attributes: Attributes) => void;

export function writeAttributes(connection: Connection, tables: Tables): WriteAttributes {
  const setText = connection.prepare(
    "set attributes",
    `UPDATE ${tables.runs} SET attributes = ? WHERE id = ?`,
  );
  const removeKeys = connection.prepare(
    "delete attributes",
    `DELETE FROM ${tables.attributes} WHERE run = ?`,
  );
  const insertKey = connection.prepare(
    "insert attribute",
    `INSERT INTO ${tables.attributes} (key, created_at, run_id, run)
     SELECT ?, created_at, run_id, id FROM ${tables.runs} WHERE id = ?`,
  );

  return (run, attributes) => {
    setText.run(attributesToText(attributes), run);
    removeKeys.run(run);
    for (const key of attributeKeys(attributes)) insertKey.run(key, run);
  };
}
