/**
 * Starting runs: row, first events, first mail, names and first lease in one script. Names are reserved before; see `names.ts`.
 */
import type { CreateRun, CreateRunResult, StartOutcome } from "@perdure/core/world";
import { attributesToArgs, bytesToArg } from "./attributes.ts";
import type { Connection } from "./connection.ts";
import { Contest } from "./contest.ts";
import { firstMails, nameUnder } from "./first-mail.ts";
import { CREATE } from "./lua/start.ts";
import { packDetails } from "./name-entry.ts";
import type { Answer, Holder, Names } from "./names.ts";
import { divide } from "./partitions.ts";
import { packEvent, packMail, packTarget } from "./schema.ts";
import { writing } from "./script.ts";
import { type Stored, toStored } from "./text.ts";

const create = writing("create runs", CREATE);

export type CreateRuns = (batch: readonly CreateRun[], now: number) => Promise<StartOutcome>;

/** A start on its way. */
interface Start {
  readonly place: number;
  readonly request: CreateRun;
  /** Its names, as they are reserved. */
  readonly answers: readonly Answer[];
}

/** A start that makes no run, unless another sending of it has made one. */
interface Loss {
  readonly start: Start;
  readonly result: CreateRunResult;
}

export function createRuns(connection: Connection, names: Names): CreateRuns {
  const { partitions } = connection;
  const { addressAll, confirmAll } = firstMails(connection);

  /** Asks for the names of these starts: those that may be made now, those that have lost, those that have to wait. */
  async function askAll(
    starts: readonly Start[],
    contest: Contest,
    now: number,
  ): Promise<{ ready: Start[]; lost: Loss[]; waiting: Start[] }> {
    const asking = starts.filter(({ request }) => request.names.length > 0);
    const ready = starts.filter(({ request }) => request.names.length === 0);
    const [lost, waiting]: [Loss[], Start[]] = [[], []];
    if (asking.length === 0) return { ready, lost, waiting };
    const verdicts = await names.ask(
      asking.map(({ request }) => ({ runId: request.runId, wishes: request.names, commit: null })),
      contest,
      { now, rows: true },
    );
    for (const [index, start] of asking.entries()) {
      const verdict = verdicts[index] ?? "unwritable";
      if (verdict === "undecided") {
        waiting.push(start);
      } else if (verdict === "unwritable") {
        ready.push({ ...start, answers: [] });
      } else {
        const result = refusalOf(start.request, verdict);
        if (result === null) ready.push({ ...start, answers: verdict });
        else lost.push({ start: { ...start, answers: verdict }, result });
      }
    }
    return { ready, lost, waiting };
  }

  /** Those whose messages are all free to go to their runs, and the others. */
  async function addressMail(starts: readonly Start[]): Promise<{ ready: Start[]; lost: Loss[] }> {
    const sending = starts.filter(({ request, answers }) => request.mail.length > 0 && answers.length > 0);
    if (sending.length === 0) return { ready: [...starts], lost: [] };
    const elsewhere = await addressAll(sending);
    const lost = sending.flatMap((start, index): Loss[] => {
      const other = elsewhere[index] ?? null;
      return other === null ? [] : [{ start, result: { outcome: "mailed", ...other } }];
    });
    const losers = new Set(lost.map(({ start }) => start));
    return { ready: starts.filter((start) => !losers.has(start)), lost };
  }

  /** Gives back what these have reserved. Answers those whose runs exist after all. */
  async function giveBack(lost: readonly Loss[], results: CreateRunResult[]): Promise<Start[]> {
    if (lost.length === 0) return [];
    const exist = await names.giveBack(
      lost.map(({ start }) => ({ runId: start.request.runId, answers: start.answers })),
    );
    return lost.flatMap(({ start, result }, index) => {
      if (exist[index] === true) return [start];
      results[start.place] = result;
      return [];
    });
  }

  return async (batch, now) => {
    const results: CreateRunResult[] = [];
    const contest = new Contest();
    let due = false;
    let open: readonly Start[] = batch.map((request, place) => ({ place, request, answers: [] }));
    while (open.length > 0) {
      const [first, later] = inWaves(open);
      const { ready, lost, waiting } = await askAll(first, contest, now);
      const mailed = await addressMail(ready);
      const existing = await giveBack([...lost, ...mailed.lost], results);
      const starts = [...mailed.ready, ...existing].sort((a, b) => a.place - b.place);
      const answers = await connection.runShares(
        create,
        divide(starts, ({ request }) => partitions.of(toStored(request.runId))),
        ({ items }) => [...connection.clock(now), ...items.flatMap(argsOf)],
      );
      const again: Start[] = [];
      const made: CreateRun[] = [];
      for (const [index, start] of starts.entries()) {
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
        made.push(start.request);
        due ||= lease === null;
      }
      await confirmAll(made);
      if (waiting.length > 0) await contest.pause();
      open = [...again, ...waiting, ...later].sort((a, b) => a.place - b.place);
    }
    return { results, due };
  };
}

/** Of several starts that ask for one name the first goes ahead; the others then find its run. */
function inWaves(starts: readonly Start[]): [Start[], Start[]] {
  const seen = new Set<string>();
  const first: Start[] = [];
  const later: Start[] = [];
  for (const start of starts) {
    const { names } = start.request;
    (names.some(({ name }) => seen.has(name)) ? later : first).push(start);
    for (const { name } of names) seen.add(name);
  }
  return [first, later];
}

/** The first name, in the order of the request, that another run has. */
function refusalOf({ runId }: CreateRun, answers: readonly Answer[]): CreateRunResult | null {
  // Another sending of the same request may have made the run meanwhile: that is no loss.
  const holder = answers.map((answer) => answer.holder).find((one) => one !== null && one.runId !== runId);
  return holder === null || holder === undefined ? null : heldBy(holder);
}

function heldBy({ runId, name, row }: Holder): CreateRunResult {
  if (name === null || row === null) throw new Error(`run ${runId} has a name but no row`);
  return { outcome: "held", name, run: row };
}

function argsOf({ request, answers }: Start): Stored[] {
  const { runId, workflow, queue, attributes, state, events, names, mail, dueAt, lease } = request;
  const createdAt = events[0]?.at ?? 0;
  return [
    toStored(runId),
    toStored(workflow),
    toStored(queue),
    ...attributesToArgs(Object.keys(attributes).length === 0 ? undefined : attributes),
    ...(state === null ? [""] : ["+", bytesToArg(state)]),
    ...(request.idempotencyKey === null ? [""] : ["+", toStored(request.idempotencyKey)]),
    String(createdAt),
    String(events.reduce((sum, { data }) => sum + (data?.length ?? 0), 0)),
    lease === null ? "" : String(lease.ttl),
    lease === null ? "" : toStored(lease.owner),
    lease === null ? "" : toStored(lease.claimId),
    String(dueAt),
    String(events.length),
    ...events.map(packEvent),
    String(names.length),
    ...names.flatMap((claim, index) => [
      toStored(claim.name),
      answers[index]?.mark ?? "",
      toStored(claim.id),
      String(claim.freeAt),
      packDetails(claim, createdAt),
    ]),
    String(mail.length),
    ...mail.flatMap((message) => [
      toStored(message.messageId),
      packTarget(message.id, "="),
      toStored(nameUnder(request, message.id) ?? ""),
      packMail(message),
    ]),
  ];
}
