/**
 * Listing and counting runs. Each field of a filter has an index that goes on in the order of the listing, and the planner
 * walks the one that its statistics call the narrowest. Several statuses are a walk each, whose first rows are merged.
 */
import {
  attributeKeys,
  cursorAt,
  type ListingPlace,
  type ListRunsQuery,
  type OpenStore,
  placeAt,
  placeOf,
  type RunFilter,
  readRows,
} from "@perdure/core/world";
import { type RawBuilder, sql } from "kysely";
import type { Connection } from "./connection.ts";
import { whole } from "./packing.ts";
import { numberOrNull, type RunRow, toRunRecord } from "./schema.ts";
import type { Tables } from "./tables.ts";
import { fromStored, toStored } from "./text.ts";

type Sql = RawBuilder<unknown>;

const LIGHT_COLUMNS = [
  ...[
    "run_id",
    "workflow",
    "queue",
    "status",
    "epoch",
    "claim_id",
    "lost_claims",
    "generation",
    "first_seq",
    "seq",
  ],
  ...[
    "bytes",
    "mail_seq",
    "mail_done",
    "end_seq",
    "end_done",
    "owner",
    "due_at",
    "attributes",
    "idempotency_key",
    "created_at",
    "started_at",
    "completed_at",
  ],
];
const PAYLOADS = ["output", "error", "state"];

type Listing = Pick<OpenStore["reads"], "listRuns" | "countRuns">;

export function listing(connection: Connection, tables: Tables): Listing {
  /** The runs that fit a filter, but for its statuses; their table is called `r`. */
  function fitting(filter: RunFilter, conditions: readonly Sql[]): Sql {
    const joins = attributeKeys(filter.attributes ?? {}).map((key, index) => {
      const table = sql.raw(`a${index}`);
      return sql`JOIN ${sql.raw(tables.attributes)} ${table} ON ${table}.key = ${key} AND ${table}.run = r.id`;
    });
    const all = [...conditionsOf(filter), ...conditions];
    const where = all.length === 0 ? sql`` : sql`WHERE ${sql.join(all, sql` AND `)}`;
    return sql`FROM ${sql.raw(tables.runs)} r ${sql.join(joins, sql` `)} ${where}`;
  }

  function pageOf(query: ListRunsQuery): Sql {
    const { statuses, limit, order = "desc", payloads = false } = query;
    const time = query.completedBefore === undefined ? "created_at" : "completed_at";
    const direction = order === "asc" ? "ASC" : "DESC";
    const columns = [
      ...LIGHT_COLUMNS.map((column) => `r.${column}`),
      ...PAYLOADS.map((column) => (payloads ? `r.${column}` : `NULL::bytea AS ${column}`)),
    ].join(", ");
    const place = placeAt(query);
    const after =
      place === null
        ? []
        : [
            sql`(r.${sql.raw(time)}, r.run_id) ${sql.raw(order === "asc" ? ">" : "<")} (${place.time}::bigint, ${toStored(place.runId)}::text)`,
          ];
    const first = (conditions: readonly Sql[]): Sql =>
      sql`SELECT ${sql.raw(columns)} ${fitting(query, [...after, ...conditions])}
        ORDER BY r.${sql.raw(`${time} ${direction}, r.run_id ${direction}`)} LIMIT ${limit + 1}::int`;
    if (statuses === undefined) return first([]);
    // Each with its status as a constant, of which the planner knows how many runs have it.
    const walks = [...new Set(statuses)].map((status) => first([sql`r.status = ${status}::text`]));
    if (walks.length === 0) return first([sql`false`]);
    return sql`SELECT p.* FROM (${sql.join(
      walks.map((one) => sql`(${one})`),
      sql` UNION ALL `,
    )}) p ORDER BY p.${sql.raw(`${time} ${direction}, p.run_id ${direction}`)} LIMIT ${limit + 1}::int`;
  }

  return {
    async listRuns(query) {
      const rows = await connection.query("list runs", (db) =>
        (pageOf(query) as RawBuilder<RunRow>).compile(db),
      );
      const page = rows.slice(0, query.limit);
      const last = page.at(-1);
      const more = rows.length > query.limit && last !== undefined;
      return {
        ...(await readRows(page, runIdOf, (some) => some.map(toRunRecord))),
        cursor: more ? cursorAt(placeOfRow(last, query)) : null,
      };
    },

    async countRuns(filter) {
      const { statuses } = filter;
      const ofStatus = statuses === undefined ? [] : [sql`r.status = ANY (${[...statuses]}::text[])`];
      const [row] = await connection.query("count runs", (db) =>
        sql<{ runs: number }>`SELECT count(*)::int AS runs ${fitting(filter, ofStatus)}`.compile(db),
      );
      return row?.runs ?? 0;
    },
  };
}

function runIdOf({ run_id }: RunRow): string {
  return fromStored(run_id);
}

function placeOfRow(row: RunRow, filter: RunFilter): ListingPlace {
  const createdAt = Number(row.created_at);
  return placeOf({ runId: runIdOf(row), createdAt, completedAt: numberOrNull(row.completed_at) }, filter);
}

/** What a filter says of the columns of a row, but for its status. */
function conditionsOf({ workflow, queue, createdFrom, createdBefore, completedBefore }: RunFilter): Sql[] {
  return [
    ...(workflow === undefined ? [] : [sql`r.workflow = ${toStored(workflow)}`]),
    ...(queue === undefined ? [] : [sql`r.queue = ${toStored(queue)}`]),
    ...(createdFrom === undefined ? [] : [sql`r.created_at >= ${whole(createdFrom)}::bigint`]),
    ...(createdBefore === undefined ? [] : [sql`r.created_at < ${whole(createdBefore)}::bigint`]),
    ...(completedBefore === undefined ? [] : [sql`r.completed_at < ${whole(completedBefore)}::bigint`]),
  ];
}
