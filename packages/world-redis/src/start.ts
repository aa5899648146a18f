/**
 * Starting runs: row, `run_created` event, start key and first lease in one script. A key is reserved before; see
 * `names.ts`.
 */
import type { CreateRun, CreateRunResult, StartOutcome } from "@perdure/core/world";
import { attributesToArgs, bytesToArg } from "./attributes.ts";
import type { Connection } from "./connection.ts";
import { ANNOUNCE_RUN, WITHDRAW } from "./lua/names.ts";
import { CREATE } from "./lua/start.ts";
import { type Holder, type Names, newMark } from "./names.ts";
import { divide } from "./partitions.ts";
import { keyName, type Name, packEvent } from "./schema.ts";
import { writing } from "./script.ts";
import { type Stored, toStored } from "./text.ts";

const create = writing("create runs", CREATE);
const announce = writing("announce runs", ANNOUNCE_RUN);
const withdraw = writing("withdraw names", WITHDRAW);

export type CreateRuns = (batch: readonly CreateRun[], now: number) => Promise<StartOutcome>;

/** A start on its way. */
interface Start {
  readonly place: number;
  readonly request: CreateRun;
  readonly name: Name | null;
  /** `null` where there is no key, or the run exists already. */
  readonly mark: string | null;
}

export function createRuns(connection: Connection, names: Names): CreateRuns {
  const { partitions } = connection;
  const partitionOf = ({ request }: Start): number => partitions.of(toStored(request.runId));

  async function announceAll(starts: readonly Start[]): Promise<Start[]> {
    const keyed = starts.filter(({ name }) => name !== null);
    const marks = new Map<number, string | null>();
    if (keyed.length > 0) {
      const answers = await connection.runShares(announce, divide(keyed, partitionOf), ({ items }) =>
        items.flatMap(({ request, name }) => [toStored(request.runId), name as Name, newMark()]),
      );
      for (const [index, { place }] of keyed.entries()) {
        const answer = answers[index];
        marks.set(place, Buffer.isBuffer(answer) ? answer.toString("latin1") : null);
      }
    }
    return starts.map((start) => ({ ...start, mark: marks.get(start.place) ?? null }));
  }

  async function reserveAll(starts: readonly Start[], now: number): Promise<Map<Start, Holder>> {
    const asking = starts.filter(({ mark }) => mark !== null);
    const holders = await names.reserveAll(
      asking.map(({ request, name, mark }) => ({
        name: name as Name,
        runId: request.runId,
        mark: mark as string,
      })),
      now,
    );
    return new Map(
      asking.flatMap((start, index): [Start, Holder][] => {
        const holder = holders[index] ?? null;
        // Another sending of the same request may have made the run meanwhile: that is no loss.
        return holder === null || holder.runId === start.request.runId ? [] : [[start, holder]];
      }),
    );
  }

  return async (batch, now) => {
    const results: CreateRunResult[] = [];
    let due = false;
    let waiting: readonly Start[] = batch.map((request, place) => ({
      place,
      request,
      name: request.startKey === null ? null : keyName(request.workflow, request.startKey.key),
      mark: null,
    }));
    while (waiting.length > 0) {
      const [first, later] = inWaves(waiting);
      const announced = await announceAll(first);
      const taken = await reserveAll(announced, now);
      const losers = [...taken.keys()];
      if (losers.length > 0) {
        await connection.runShares(withdraw, divide(losers, partitionOf), ({ items }) =>
          items.flatMap(({ request, name, mark }) => [toStored(request.runId), name as Name, mark as string]),
        );
      }
      for (const [{ place, request }, holder] of taken) {
        const same = holder.fingerprint === request.startKey?.fingerprint;
        if (holder.row === null) throw new Error(`run ${holder.runId} has a start key but no row`);
        results[place] = { outcome: same ? "exists" : "mismatch", run: holder.row };
      }

      const winners = announced.filter((start) => !taken.has(start));
      const answers = await connection.runShares(create, divide(winners, partitionOf), ({ items }) => [
        ...connection.clock(now),
        ...items.flatMap(argsOf),
      ]);
      const again: Start[] = [];
      for (const [index, start] of winners.entries()) {
        const answer = String(answers[index]);
        if (answer === "R") {
          again.push(start);
          continue;
        }
        const { runId, lease } = start.request;
        const held = lease !== null && answer === "L";
        results[start.place] = {
          outcome: "created",
          lease: held ? { runId, epoch: 1, claimId: lease.claimId } : null,
        };
        due ||= lease === null;
      }
      waiting = [...again, ...later].sort((a, b) => a.place - b.place);
    }
    return { results, due };
  };
}

/** Of several starts with one key the first goes ahead; the others then find its run. */
function inWaves(starts: readonly Start[]): [Start[], Start[]] {
  const seen = new Set<string>();
  const first: Start[] = [];
  const later: Start[] = [];
  for (const start of starts) {
    const name = start.name === null ? null : String(start.name);
    (name !== null && seen.has(name) ? later : first).push(start);
    if (name !== null) seen.add(name);
  }
  return [first, later];
}

function argsOf({ request, name, mark }: Start): Stored[] {
  const { runId, workflow, queue, attributes, state, event, dueAt, lease, startKey } = request;
  const args: Stored[] = [
    toStored(runId),
    toStored(workflow),
    toStored(queue),
    ...attributesToArgs(Object.keys(attributes).length === 0 ? undefined : attributes),
    ...(state === null ? [""] : ["+", bytesToArg(state)]),
    String(event.at),
    packEvent(event),
    String(event.data?.length ?? 0),
    lease === null ? "" : String(lease.ttl),
    lease === null ? "" : toStored(lease.owner),
    lease === null ? "" : toStored(lease.claimId),
    String(dueAt),
    name ?? "",
  ];
  if (startKey !== null) {
    args.push(
      mark ?? "",
      toStored(startKey.key),
      String(startKey.expiresAt ?? ""),
      toStored(startKey.fingerprint),
    );
  }
  return args;
}
