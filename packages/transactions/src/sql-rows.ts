/**
 * The rows of steps in a database that speaks SQL.
 *
 * `take` is one statement that inserts the row or, where it is there, writes it as it is: so it is locked until the transaction is
 * over, and of two transactions of one step the second one waits for the first. Under a level above READ COMMITTED the database
 * refuses the second one where the first has committed, which is a serialization failure and passes.
 */
import type { StepRow, StepRows, StoredResult } from "./database.ts";

export type Dialect = "postgres" | "sqlite" | "mysql";

/** Executes a statement whose parameters are `?`, each used once and in their order; gives its rows. */
export type Query = (sql: string, parameters: readonly (string | number | null)[]) => Promise<readonly Row[]>;

export type Row = Readonly<Record<string, unknown>>;

/** The statements that make the table and its index, by which old rows are found. */
export function tableStatements(dialect: Dialect, table: string): readonly string[] {
  const isMysql = dialect === "mysql";
  const text = (length: number): string => (isMysql ? `VARCHAR(${length})` : "TEXT");
  const long = isMysql ? "LONGTEXT" : "TEXT";
  const byRun = `${table.replaceAll(".", "_")}_by_run`;
  const columns = [
    `id ${text(100)} NOT NULL PRIMARY KEY`,
    `run_id ${text(255)} NOT NULL`,
    `former_run_ids ${long} NOT NULL`,
    "failed_attempt INTEGER NOT NULL",
    "completed INTEGER NOT NULL",
    `result ${long}`,
    "written_at BIGINT NOT NULL",
    ...(isMysql ? [`INDEX ${byRun} (run_id, written_at)`] : []),
  ];
  const options = isMysql ? " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin" : "";
  const create = `CREATE TABLE IF NOT EXISTS ${table} (\n  ${columns.join(",\n  ")}\n)${options}`;
  return isMysql
    ? [create]
    : [create, `CREATE INDEX IF NOT EXISTS ${byRun} ON ${table} (run_id, written_at)`];
}

/** The rows of a transaction in which `query` executes statements. */
export function sqlRows(dialect: Dialect, table: string, query: Query): StepRows {
  const columns = "id, run_id, former_run_ids, failed_attempt, completed, result, written_at";
  const unchanged =
    dialect === "mysql"
      ? "ON DUPLICATE KEY UPDATE run_id = run_id"
      : `ON CONFLICT (id) DO UPDATE SET run_id = ${table}.run_id`;
  // What MySQL reads under REPEATABLE READ may be older than the row that it has locked.
  const locked = dialect === "mysql" ? " FOR UPDATE" : "";
  const select = `SELECT run_id, former_run_ids, failed_attempt, completed, result FROM ${table} WHERE id = ?${locked}`;

  async function find(id: string): Promise<StepRow | null> {
    const [row] = await query(select, [id]);
    return row === undefined ? null : stepRow(row);
  }

  return {
    async take(stepId, runId, now) {
      await query(`INSERT INTO ${table} (${columns}) VALUES (?, ?, '[]', 0, 0, NULL, ?) ${unchanged}`, [
        ...[stepId, runId, now],
      ]);
      const row = await find(stepId);
      if (row === null) throw new Error(`The row ${stepId} of ${table} was deleted while it was locked.`);
      return row;
    },
    async own(stepId, { runId, formerRunIds, failedAttempt }) {
      await query(`UPDATE ${table} SET run_id = ?, former_run_ids = ?, failed_attempt = ? WHERE id = ?`, [
        ...[runId, JSON.stringify(formerRunIds), failedAttempt, stepId],
      ]);
    },
    read: async (id) => (await find(id))?.result ?? null,
    async complete(id, { text }, runId, now) {
      const update = "completed = 1, result = ?, written_at = ?";
      const conflict = dialect === "mysql" ? "ON DUPLICATE KEY UPDATE" : "ON CONFLICT (id) DO UPDATE SET";
      await query(`INSERT INTO ${table} (${columns}) VALUES (?, ?, '[]', 0, 1, ?, ?) ${conflict} ${update}`, [
        id,
        runId,
        text,
        now,
        text,
        now,
      ]);
    },
    async runsBefore(time, after, limit) {
      const rows = await query(
        `SELECT DISTINCT run_id FROM ${table} WHERE run_id > ? AND written_at < ? ORDER BY run_id LIMIT ${limit}`,
        [after, time],
      );
      return rows.map(({ run_id }) => String(run_id));
    },
    async remove(runIds, time) {
      if (runIds.length === 0) return 0;
      const where = `run_id IN (${runIds.map(() => "?").join(", ")}) AND written_at < ?`;
      const [row] = await query(`SELECT COUNT(*) AS n FROM ${table} WHERE ${where}`, [...runIds, time]);
      await query(`DELETE FROM ${table} WHERE ${where}`, [...runIds, time]);
      return Number(row?.n ?? 0);
    },
  };
}

function stepRow(row: Row): StepRow {
  const result: StoredResult | null =
    Number(row.completed) === 0 ? null : { text: row.result === null ? null : String(row.result) };
  return {
    runId: String(row.run_id),
    formerRunIds: JSON.parse(String(row.former_run_ids)) as string[],
    failedAttempt: Number(row.failed_attempt),
    result,
  };
}

/** A statement with `?` in the notation of Postgres. */
export function numbered(sql: string): string {
  let count = 0;
  return sql.replaceAll("?", () => `$${++count}`);
}

/** A statement in the notation of Postgres, or one with `?`, as its texts and the parameters between them. */
export function partsOf(
  sql: string,
  parameters: readonly unknown[],
): { readonly texts: readonly string[]; readonly values: readonly unknown[] } {
  const texts: string[] = [];
  const values: unknown[] = [];
  let end = 0;
  for (const found of sql.matchAll(/\$(\d+)|\?/g)) {
    texts.push(sql.slice(end, found.index));
    values.push(parameters[found[1] === undefined ? values.length : Number(found[1]) - 1]);
    end = found.index + found[0].length;
  }
  texts.push(sql.slice(end));
  return { texts, values };
}
