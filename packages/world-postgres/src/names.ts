/** Looking names up: each query is a walk along one index, and judges a name by its row. */
import type { HeldName, OpenStore } from "@perdure/core/world";
import { afterPrefix } from "@perdure/core/world";
import { type RawBuilder, sql } from "kysely";
import type { Connection } from "./connection.ts";
import { storeNow } from "./functions/clauses.ts";
import { isHeld } from "./functions/names.ts";
import { whole } from "./packing.ts";
import { type Bigint, type RunRow, toRunRecord } from "./schema.ts";
import type { GetHolders } from "./start.ts";
import type { Tables } from "./tables.ts";
import { fromStored, fromStoredOrNull, toStored } from "./text.ts";

interface NameRow {
  readonly held_name: string;
  readonly held_id: string;
  readonly run_id: string;
  readonly claimed_at: Bigint;
  readonly fingerprint: string | null;
  readonly data: Uint8Array | null;
}

export interface NameReads extends Pick<OpenStore["reads"], "getNames" | "listNames"> {
  readonly getHolders: GetHolders;
}

export function nameReads(connection: Connection, tables: Tables, callersClock: boolean): NameReads {
  /** Names that are held, and their runs. */
  const held = (now: number, columns: RawBuilder<unknown>) => {
    const time = callersClock ? sql`${whole(now)}::bigint` : sql.raw(storeNow("NULL::bigint"));
    return sql`
      SELECT n.name AS held_name, n.id AS held_id, n.created_at AS claimed_at, n.fingerprint, n.data, ${columns}
      FROM (SELECT ${time} AS now) c CROSS JOIN ${sql.raw(tables.names)} n JOIN ${sql.raw(tables.runs)} r ON r.id = n.run
      WHERE ${sql.raw(isHeld("c.now"))}`;
  };

  async function select<Row extends NameRow>(
    names: readonly string[],
    now: number,
    columns: RawBuilder<unknown>,
  ): Promise<readonly Row[]> {
    return connection.query("select names", (db) =>
      sql<Row>`${held(now, columns)} AND n.name = ANY (${names.map(toStored)}::text[])`.compile(db),
    );
  }

  return {
    async getNames(names, now) {
      const rows = await select(names, now, sql`r.run_id`);
      const found = new Map(rows.map((row) => [fromStored(row.held_name), toHeldName(row)]));
      return names.map((name) => found.get(name) ?? null);
    },

    async getHolders(names, now) {
      const rows = await select<NameRow & RunRow>(names, now, sql`r.*`);
      return new Map(
        rows.map((row) => [fromStored(row.held_name), { name: toHeldName(row), run: toRunRecord(row) }]),
      );
    },

    async listNames({ prefix = "", runId, limit, cursor, now }) {
      const end = afterPrefix(toStored(prefix));
      const run = sql`(SELECT o.id FROM ${sql.raw(tables.runs)} o WHERE o.run_id = ${toStored(runId ?? "")})`;
      const rows = await connection.query("list names", (db) =>
        sql<NameRow>`${held(now, sql`r.run_id`)}
          AND n.name >= ${toStored(prefix)}
          ${end === null ? sql`` : sql`AND n.name < ${end}`}
          ${cursor === undefined ? sql`` : sql`AND n.name > ${toStored(cursor)}`}
          ${runId === undefined ? sql`` : sql`AND n.run = ${run}`}
          ORDER BY n.name LIMIT ${limit + 1}`.compile(db),
      );
      const names = rows.slice(0, limit).map(toHeldName);
      return { names, cursor: rows.length > limit ? (names.at(-1)?.name ?? null) : null };
    },
  };
}

function toHeldName(row: NameRow): HeldName {
  return {
    name: fromStored(row.held_name),
    id: fromStored(row.held_id),
    runId: fromStored(row.run_id),
    fingerprint: fromStoredOrNull(row.fingerprint),
    data: row.data,
    createdAt: Number(row.claimed_at),
  };
}
