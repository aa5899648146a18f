/**
 * What Node before 24.7 does not bind as SQLite has it: it takes numbered parameters (`?1`, `?2` …) for named ones and refuses values
 * by position (nodejs/node#59340), and it binds no bytes as NULL.
 */
import type { SQLInputValue } from "node:sqlite";

/** SQL whose parameters are all plain `?`. */
export interface PlainSql {
  readonly sql: string;
  /** The values as they are bound: in the order of the plain parameters. May change the array that it gets. */
  readonly arrange: (values: SQLInputValue[]) => SQLInputValue[];
}

/** SQL with plain parameters in place of numbered ones; it may not have both. */
export function withPlainParameters(numbered: string): PlainSql {
  const order: number[] = [];
  const sql = numbered.replaceAll(/\?(\d+)/g, (_parameter, number: string) => {
    order.push(Number(number) - 1);
    return "?";
  });
  const isInOrder = order.every((from, to) => from === to);
  if (isInOrder) return { sql, arrange: withNoBytes };
  return { sql, arrange: (values) => withNoBytes(order.map((from) => values[from] ?? null)) };
}

/** No bytes, at an address: without one, Node takes them for NULL. */
const NO_BYTES = new Uint8Array(new ArrayBuffer(1), 0, 0);

function withNoBytes(values: SQLInputValue[]): SQLInputValue[] {
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    if (value instanceof Uint8Array && value.byteLength === 0) values[index] = NO_BYTES;
  }
  return values;
}
