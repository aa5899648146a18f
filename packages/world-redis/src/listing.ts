/**
 * Listing and counting runs. Each field of a filter is a sorted set of each partition, in the order of the listing. A walk goes
 * along the sets of the field that the fewest runs fit, and the script looks whether a run is in those of the other fields too;
 * it stops after so many, so that no worker waits for long.
 */
import {
  attributeKeys,
  cursorAt,
  fits,
  type ListRunsQuery,
  type OpenStore,
  placeAt,
  type RunFilter,
  type RunRecord,
  readRows,
} from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { NARROWEST, WALK } from "./lua/listing.ts";
import {
  ALL_STATUS_CODES,
  placeFromBytes,
  placeToBytes,
  type Reply,
  statusCode,
  timeToBytes,
} from "./schema.ts";
import { reading } from "./script.ts";
import { type Stored, toBytes } from "./text.ts";

const narrowest = reading("find the narrowest", NARROWEST);
const walk = reading("list runs", WALK);

/** A script looks at so many runs along each set. */
const LOOKS = 1_000;

/** The sorted sets of a field: a run that fits is in one of them. */
type Field = readonly Stored[];

/** A walk along a set: what is left of it, and what it has found. */
interface Walk {
  readonly set: Stored;
  low: Stored;
  high: Stored;
  over: boolean;
  count: number;
  readonly found: Buffer[];
}

type Listing = Pick<OpenStore["reads"], "listRuns" | "countRuns">;

export function listing(
  connection: Connection,
  getRows: (runIds: readonly string[], bare: boolean) => Promise<readonly (RunRecord | null)[]>,
): Listing {
  const everywhere = Array.from({ length: connection.partitions.count }, (_, partition) => partition);

  /** Walks in one partition until each set has `wanted` runs, or none is left. */
  async function walkIn(
    partition: number,
    query: RunFilter & Pick<ListRunsQuery, "cursor" | "order">,
    mode: "list" | "count",
    wanted: number,
  ): Promise<readonly Walk[]> {
    const { completedBefore, createdFrom, createdBefore, order = "desc" } = query;
    const fields = fieldsOf(query);
    let along: Field = ["ended"];
    let others = fields;
    if (completedBefore === undefined) {
      const best =
        fields.length < 2 ? 1 : ((await connection.run(narrowest, partition, toArgs(fields))) as number);
      along = fields[best - 1] ?? ALL_STATUS_CODES.map((code) => `s:${code}`);
      others = fields.filter((_, index) => index !== best - 1);
    }
    const byEnd =
      completedBefore === undefined ? [""] : ["+", String(createdFrom ?? ""), String(createdBefore ?? "")];
    const [low, high] = boundsOf(query, order);
    const walks = along.map((set): Walk => ({ set, low, high, over: false, count: 0, found: [] }));
    for (;;) {
      const going = walks.filter((one) => !one.over && one.count < wanted);
      if (going.length === 0) return walks;
      const most = Math.min(...going.map(({ count }) => wanted - count));
      const answers = await connection.run(walk, partition, [
        ...[mode, order, String(most), String(LOOKS)],
        ...toArgs(others),
        ...byEnd,
        ...going.flatMap(({ set, low: from, high: to }) => [set, from, to]),
      ]);
      for (const [index, one] of going.entries()) {
        const [last, count, ...found] = (answers as readonly Reply[])[index] as readonly [
          Buffer | null,
          number,
          ...Buffer[],
        ];
        one.count += count;
        one.found.push(...found);
        if (last === null) one.over = true;
        else one[order === "asc" ? "low" : "high"] = Buffer.concat([Buffer.from("("), last]);
      }
    }
  }

  return {
    async listRuns(query) {
      const { limit, order = "desc", payloads = false } = query;
      const walks = await Promise.all(
        everywhere.map((partition) => walkIn(partition, query, "list", limit + 1)),
      );
      const places = walks.flat().flatMap(({ found }) => found);
      places.sort(order === "asc" ? Buffer.compare : (a, b) => Buffer.compare(b, a));
      // A run whose status changed meanwhile may have been met in two sets.
      const distinct = places.filter((place, index) => !places[index - 1]?.equals(place));
      const page = distinct.slice(0, limit).map(placeFromBytes);
      const last = page.at(-1);
      const ids = page.map(({ runId }) => runId);
      return {
        ...(await readRows(ids, String, async (some) => {
          const rows = await getRows(some, !payloads);
          // A row may have changed since its id was found.
          return rows.filter((row) => row !== null && fits(row, query)) as RunRecord[];
        })),
        cursor: distinct.length > limit && last !== undefined ? cursorAt(last) : null,
      };
    },

    async countRuns(filter) {
      const walks = await Promise.all(
        everywhere.map((partition) => walkIn(partition, filter, "count", Number.MAX_SAFE_INTEGER)),
      );
      return walks.flat().reduce((sum, { count }) => sum + count, 0);
    },
  };
}

function fieldsOf({ workflow, queue, statuses, attributes = {} }: RunFilter): Field[] {
  return [
    ...(workflow === undefined ? [] : [[named("w", workflow)]]),
    ...(queue === undefined ? [] : [[named("q", queue)]]),
    ...(statuses === undefined ? [] : [[...new Set(statuses)].map((status) => `s:${statusCode(status)}`)]),
    ...attributeKeys(attributes).map((key) => [`a:${key}`]),
  ];
}

function named(kind: string, text: string): Stored {
  return Buffer.concat([Buffer.from(`${kind}:`), toBytes(text)]);
}

function toArgs(fields: readonly Field[]): Stored[] {
  return [String(fields.length), ...fields.flatMap((sets) => [String(sets.length), ...sets])];
}

/** Where a walk begins and ends, as ZRANGEBYLEX takes it. */
function boundsOf(
  query: RunFilter & Pick<ListRunsQuery, "cursor">,
  order: "asc" | "desc",
): [low: Stored, high: Stored] {
  const { createdFrom, createdBefore, completedBefore } = query;
  const from = completedBefore === undefined ? createdFrom : undefined;
  const before = completedBefore ?? createdBefore;
  const after = placeAt(query);
  const beyond = after === null ? null : Buffer.concat([Buffer.from("("), placeToBytes(after)]);
  const low = from === undefined ? "-" : Buffer.concat([Buffer.from("["), timeToBytes(from)]);
  const high = before === undefined ? "+" : Buffer.concat([Buffer.from("("), timeToBytes(before)]);
  return order === "asc" ? [beyond ?? low, high] : [low, beyond ?? high];
}
