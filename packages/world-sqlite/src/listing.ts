/**
 * Listing and counting runs. Each field of a filter is an equality, or a stretch, of an index that goes on in the order of
 * the listing; so a page is one walk along one index, and nothing is sorted. Of several fields the narrowest is walked: that
 * which the fewest runs fit, as far as a bounded look tells.
 */
import type { SQLInputValue } from "node:sqlite";
import {
  attributeKeys,
  cursorAt,
  type ListingPlace,
  type ListRunsQuery,
  type OpenStore,
  placeAt,
  placeOf,
  type RunFilter,
  type RunRecord,
  readRows,
} from "@perdure/core/world";
import { isDamage, number, numberOrNull } from "./cells.ts";
import type { Connection } from "./connection.ts";
import { damagedError } from "./errors.ts";
import { type RunRow, runColumns, toRunRecord } from "./schema.ts";
import type { Tables } from "./tables.ts";
import { fromStored, toStored } from "./text.ts";

/** With more runs than so many a field counts as wide. */
const WIDE = 1_000;

/** A condition and its parameters. */
interface Condition {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

/** A way along one index: the tables to walk, with their own condition, and the columns of its order. */
interface Way {
  readonly from: string;
  readonly conditions: readonly Condition[];
  readonly time: string;
  readonly runId: string;
}

type Listing = Pick<OpenStore["reads"], "listRuns" | "countRuns">;

export function listing(connection: Connection, tables: Tables): Listing {
  const { runs, attributes } = tables;

  function byIndex(index: string, conditions: readonly Condition[] = [], time = "created_at"): Way {
    return {
      from: `${runs} r INDEXED BY ${runs}_${index}`,
      conditions,
      time: `r.${time}`,
      runId: "r.run_id",
    };
  }

  /** The fields of a filter that say what a run has: each as the ways to walk, one after the other. */
  function fieldsOf(filter: RunFilter): Way[][] {
    const { workflow, queue, statuses } = filter;
    const equals = (column: string, value: string): Condition => ({
      sql: `r.${column} = ?`,
      values: [toStored(value)],
    });
    return [
      ...(workflow === undefined ? [] : [[byIndex("by_workflow", [equals("workflow", workflow)])]]),
      ...(queue === undefined ? [] : [[byIndex("by_queue", [equals("queue", queue)])]]),
      ...(statuses === undefined
        ? []
        : [[...new Set(statuses)].map((status) => byIndex("by_status", [equals("status", status)]))]),
      ...keysOf(filter).map((key): Way[] => [
        {
          from: `${attributes} a CROSS JOIN ${runs} r ON r.id = a.run`,
          conditions: [{ sql: "a.key = ?", values: [key] }],
          time: "a.created_at",
          runId: "a.run_id",
        },
      ]),
    ];
  }

  /** Everything that a filter says of a row. */
  function conditionsOf(filter: RunFilter): Condition[] {
    const { workflow, queue, statuses, completedBefore } = filter;
    return [
      ...(workflow === undefined ? [] : [{ sql: "r.workflow = ?", values: [toStored(workflow)] }]),
      ...(queue === undefined ? [] : [{ sql: "r.queue = ?", values: [toStored(queue)] }]),
      ...(statuses === undefined
        ? []
        : [{ sql: `r.status IN (${statuses.map(() => "?").join()})`, values: statuses }]),
      ...keysOf(filter).map((key) => ({
        sql: `EXISTS (SELECT 1 FROM ${attributes} s WHERE s.key = ? AND s.created_at = r.created_at AND s.run_id = r.run_id)`,
        values: [key],
      })),
      ...(completedBefore === undefined ? [] : [{ sql: "r.completed_at < ?", values: [completedBefore] }]),
    ];
  }

  function waysOf(filter: RunFilter): readonly Way[] {
    if (filter.completedBefore !== undefined) {
      return [byIndex("completed", [{ sql: "r.completed_at IS NOT NULL", values: [] }], "completed_at")];
    }
    const fields = fieldsOf(filter);
    const [first] = fields;
    if (first === undefined) return [byIndex("created")];
    if (fields.length === 1) return first;
    const widths = fields.map((ways) => ways.reduce((sum, way) => sum + widthOf(way, filter), 0));
    return fields[widths.indexOf(Math.min(...widths))] as Way[];
  }

  /** How many runs lie on a way, counted up to {@link WIDE}. */
  function widthOf(way: Way, filter: RunFilter): number {
    const { sql, values } = where([...way.conditions, ...createdIn(way.time, filter)]);
    const from = way.from.split(" CROSS JOIN")[0];
    const count = connection.prepare<{ runs: number }>(
      "look how many",
      `SELECT count(*) AS runs FROM (SELECT 1 FROM ${from} ${sql} LIMIT ${WIDE})`,
    );
    return count.get(...values)?.runs ?? 0;
  }

  /** The query along each way; `select` makes one. */
  function along(filter: RunFilter, after: Condition[], way: Way): Condition {
    const created = createdIn(filter.completedBefore === undefined ? way.time : "r.created_at", filter);
    const { sql, values } = where([...way.conditions, ...after, ...created, ...conditionsOf(filter)]);
    return { sql: `FROM ${way.from} ${sql}`, values };
  }

  function page(query: ListRunsQuery): RunRow[] {
    const { limit, order = "desc", payloads = false } = query;
    const direction = order === "asc" ? "ASC" : "DESC";
    const place = placeAt(query);
    const parts = waysOf(query).map((way) => {
      const { sql, values } = along(query, beyond(way, place, order), way);
      return {
        sql: `SELECT ${runColumns(payloads)} ${sql} ORDER BY ${way.time} ${direction}, ${way.runId} ${direction} LIMIT ?`,
        values: [...values, limit + 1],
      };
    });
    const [first] = parts;
    if (first === undefined) return [];
    const time = query.completedBefore === undefined ? "createdAt" : "completedAt";
    const text =
      parts.length === 1
        ? first.sql
        : `${parts.map(({ sql }) => `SELECT * FROM (${sql})`).join(" UNION ALL ")}
           ORDER BY ${time} ${direction}, runId ${direction} LIMIT ${limit + 1}`;
    return connection.prepare<RunRow>("list runs", text).all(...parts.flatMap(({ values }) => values));
  }

  function recordOf(row: RunRow): RunRecord {
    try {
      return toRunRecord(row);
    } catch (error) {
      throw isDamage(error) ? damagedError(error, connection.location, `of run ${runIdOf(row)}`) : error;
    }
  }

  return {
    async listRuns(query) {
      const { rows, cursor } = await connection.read(() => {
        const found = page(query);
        const rows = found.slice(0, query.limit);
        const last = rows.at(-1);
        const more = found.length > query.limit && last !== undefined;
        return { rows, cursor: more ? cursorAt(placeOfRow(last, query)) : null };
      });
      return { ...(await readRows(rows, runIdOf, (some) => some.map(recordOf))), cursor };
    },

    countRuns(filter) {
      return connection.read(() =>
        waysOf(filter).reduce((sum, way) => {
          const { sql, values } = along(filter, [], way);
          const count = connection.prepare<{ runs: number }>("count runs", `SELECT count(*) AS runs ${sql}`);
          return sum + (count.get(...values)?.runs ?? 0);
        }, 0),
      );
    },
  };
}

function runIdOf({ runId }: RunRow): string {
  return fromStored(runId);
}

function placeOfRow(row: RunRow, filter: RunFilter): ListingPlace {
  const createdAt = number(row.createdAt, "created_at");
  const completedAt = numberOrNull(row.completedAt, "completed_at");
  return placeOf({ runId: runIdOf(row), createdAt, completedAt }, filter);
}

function keysOf({ attributes = {} }: RunFilter): string[] {
  return attributeKeys(attributes);
}

function createdIn(time: string, { createdFrom, createdBefore }: RunFilter): Condition[] {
  return [
    ...(createdFrom === undefined ? [] : [{ sql: `${time} >= ?`, values: [createdFrom] }]),
    ...(createdBefore === undefined ? [] : [{ sql: `${time} < ?`, values: [createdBefore] }]),
  ];
}

function beyond(way: Way, place: ListingPlace | null, order: "asc" | "desc"): Condition[] {
  if (place === null) return [];
  const sql = `(${way.time}, ${way.runId}) ${order === "asc" ? ">" : "<"} (?, ?)`;
  return [{ sql, values: [place.time, toStored(place.runId)] }];
}

function where(conditions: readonly Condition[]): Condition {
  if (conditions.length === 0) return { sql: "", values: [] };
  return {
    sql: `WHERE ${conditions.map(({ sql }) => sql).join(" AND ")}`,
    values: conditions.flatMap(({ values }) => values),
  };
}
