/**
 * Numbered parameters (`?1`, `?2` …) of SQL, for Node before 24.7: it takes them for named ones and refuses values by position
 * (nodejs/node#59340).
 */
import type { SQLInputValue } from "node:sqlite";

/** SQL whose parameters are all plain `?`. */
export interface PlainSql {
  readonly sql: string;
  /** Puts the values of the numbered parameters where the plain ones are. */
  readonly arrange: (values: SQLInputValue[]) => SQLInputValue[];
}

const asTheyAre = (values: SQLInputValue[]): SQLInputValue[] => values;

/** SQL with plain parameters in place of numbered ones; it may not have both. */
export function withPlainParameters(numbered: string): PlainSql {
  const order: number[] = [];
  const sql = numbered.replaceAll(/\?(\d+)/g, (_parameter, number: string) => {
    order.push(Number(number) - 1);
    return "?";
  });
  const isInOrder = order.every((from, to) => from === to);
  return { sql, arrange: isInOrder ? asTheyAre : (values) => order.map((from) => values[from] ?? null) };
}
