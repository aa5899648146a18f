import { refuseSealed } from "../encryption/sealed-bytes.ts";
import { HookConflictError, WorkflowRunNotFoundError, WorkflowRuntimeError } from "../errors/index.ts";
import { wholeJournal } from "../journal-pages.ts";
import { inheritedStartClaim, singletonClaim, startName, successorName } from "../names.ts";
import {
  type CreateRun,
  type CreateRunResult,
  type FirstClaim,
  isTerminal,
  type JournalEvent,
  type NewEvent,
  type RunRecord,
  type World,
} from "../world/index.ts";
import { failuresOf } from "./failures.ts";
import type { Origin } from "./identity.ts";
import { countedAs, idsIn } from "./inherited-ids.ts";
import { type Headers, headersGiven } from "./kinds/headers.ts";
import { knownOf, namesOf, offersOf, roleOf, rowOf } from "./kinds/index.ts";
import type { EventRole } from "./kinds/kind.ts";
import { unreleased } from "./kinds/lock.ts";
import { originOf, runCreated, runForked } from "./kinds/run.ts";
import { leftIn } from "./kinds/unread-payloads.ts";
import { SINGLETON } from "./singleton.ts";

/** Runs that go on from where another one was: a retry of one that failed, and a fork from any step. */

/** What a retry does with the id of the step that failed. */
export interface RetryOptions {
  /**
   * `"keep"`: the step that failed keeps its `stepId`, so that what did arrive at the other side is not done again. `"new"`: it
   * gets another one, where the other side does not take the old one any more. Default `"keep"`.
   */
  readonly keys?: "keep" | "new";
}

/** Where a fork begins. */
export interface ForkOptions {
  /** The `stepId` of the first step that is executed again; see {@link Run.events}. */
  readonly fromStep: string;
  /** Other arguments for the workflow. Default: those of the run. */
  readonly args?: unknown[];
}

/** A fork, as it was asked for: arguments are encoded in the call that passes them. */
export interface ForkRequest {
  readonly fromStep: string;
  /** In place of the arguments of the run; `null`: those. */
  readonly args: { readonly value: Uint8Array | null } | null;
}

/** What a new run is made by. */
export interface ForkTerms {
  readonly world: Pick<World, "getNames" | "listEvents">;
  readonly runId: string;
  readonly now: number;
  /** What travels with the new run. */
  readonly headers: Headers;
  readonly create: (request: CreateRun) => Promise<CreateRunResult>;
}

/**
 * Goes on for a failed run: with the journal up to the step that failed, the start key, the attributes, and the tokens that are
 * free. Two retries at once make one run; its id.
 */
export async function retryRun(old: RunRecord, keys: "keep" | "new", terms: ForkTerms): Promise<string> {
  const { world, now } = terms;
  const journal = await journalOf(world, old);
  const failures = failuresOf(journal);
  const again = new Set(failures.flatMap(({ id }) => (id === null ? [] : [id])));
  const end = journal.findIndex((event) => event === failures[0] || isOver(roleOf(event.type)));
  const names: FirstClaim[] = [{ ...FOR_EVER, name: successorName(old.runId), id: "successor", from: null }];
  if (old.idempotencyKey !== null) {
    const { workflow, idempotencyKey, runId } = old;
    const [held] = await world.getNames([startName(workflow, idempotencyKey)], now);
    // A key whose time is over belongs to nobody; one that another start has since refuses the retry.
    if (held) names.push(inheritedStartClaim(workflow, idempotencyKey, held, runId));
  }
  return await create(old, journal, end, { ...terms, names, keys, again, args: null });
}

const FOR_EVER = { fingerprint: null, data: null, keepFor: null, freeAt: 0 };

/** Makes a run that does what the other one did before a step, and goes on by itself; its id. */
export async function forkRun(
  old: RunRecord,
  { fromStep, args }: ForkRequest,
  terms: ForkTerms,
): Promise<string> {
  const journal = await journalOf(terms.world, old);
  const end = journal.findIndex(({ type, id }) => id === fromStep && countedAs(roleOf(type))?.as === "step");
  if (end < 0) {
    throw new WorkflowRuntimeError(
      `fork({ fromStep }): the journal of run "${old.runId}" has no step ${JSON.stringify(fromStep)}. Take the id of a ` +
        "step_created event of run.events().",
    );
  }
  return await create(old, journal, end, { ...terms, names: [], keys: "keep", again: null, args });
}

interface Making extends ForkTerms, Pick<ForkRequest, "args"> {
  readonly names: readonly FirstClaim[];
  /** What those of {@link again} have for ids. */
  readonly keys: "keep" | "new";
  /** What failed and is done again. `null`: what is made does not go on for the run, but does something else. */
  readonly again: ReadonlySet<string> | null;
}

/** Makes a run that begins with the events before the place `end`. */
async function create(
  old: RunRecord,
  journal: readonly JournalEvent[],
  end: number,
  making: Making,
): Promise<string> {
  const { runId, now, again } = making;
  const [created, ...before] = journal.slice(0, end);
  const rest = journal.slice(end);
  // What the old run has not read it sends on: to this run, where it has the hook, unless another has it by then. What it
  // read in the rest, the run that goes on for it has yet to read.
  const offers = offersOf(
    old.runId,
    journal,
    again === null ? Number.POSITIVE_INFINITY : (rest[0]?.seq ?? 0),
  );
  const offered = new Set(offers.map(({ event }) => event));
  const kept = before.filter((event) => {
    const role = roleOf(event.type);
    if (isOfAttempt(role) && again?.has(event.id ?? "") === true) return false;
    return !isOwn(role) && !offered.has(event);
  });
  const untilNow = (until: number): number => 2 + kept.filter(({ seq }) => seq <= until).length;
  const earlier = originOf(before);
  const isRenewed = (id: string): boolean => making.keys === "new" && again?.has(id) === true;
  const { counts, renewed, ids } = idsIn(kept, runId, isRenewed);
  const withId = <T extends NewEvent>(event: T): T => ({ ...event, id: ids.get(event.id) ?? event.id });
  const events = kept.map(({ seq: _, ...event }) => withId(event));
  const origin: Origin = {
    runId: old.runId,
    generation: old.generation,
    until: 2 + kept.length,
    counts,
    renewed,
    retried: again !== null,
    origin: earlier === null ? null : moved(earlier, untilNow),
  };
  const args = making.args === null ? (created?.data ?? null) : making.args.value;
  const row = rowOf(events, old);
  const { [SINGLETON]: singletonKey } = row.attributes;
  const singleton = singletonKey === undefined ? [] : [singletonClaim(old.workflow, singletonKey)];
  // The run has none of the locks of the other one: it gets them again before any step.
  const lost: NewEvent[] =
    unreleased(events).size === 0 ? [] : [{ type: "locks_lost", at: now, id: null, name: null, data: null }];
  const known = knownOf({ prefix: kept, rest, again, keys: making.keys, now }).map(withId);
  const forked = runForked(origin, created?.at ?? now);
  const names = namesOf(events);
  const taking: ReadonlySet<string | null> = new Set([
    ...names.map(({ id }) => id),
    ...leftIn([...events, ...known]),
  ]);
  const request: CreateRun = {
    runId,
    workflow: old.workflow,
    queue: old.workflow,
    ...row,
    idempotencyKey: making.names.some(({ id }) => id === "start") ? old.idempotencyKey : null,
    events: [
      { ...runCreated(old.workflow, args, now) },
      forked,
      ...events,
      ...known,
      ...lost,
      ...headersGiven(making.headers, now),
    ],
    names: [...making.names, ...singleton, ...names],
    mail: offers.flatMap(({ mail }) => (taking.has(mail.id) ? [mail] : [])),
    dueAt: now,
    lease: null,
  };
  const result = await createWithMail(request, making.create);
  if (result.outcome !== "held") return runId;
  const { name, runId: holder } = result.name;
  if (name === successorName(old.runId)) return holder;
  if (name.startsWith("hook:")) throw new HookConflictError(name.slice("hook:".length), holder);
  if (name.startsWith("singleton:")) {
    throw new WorkflowRuntimeError(
      `Run "${old.runId}" cannot go on: run "${holder}" is under way, and the workflow's singleton lets it have no second one ` +
        "beside it. Wait for its end, or cancel it.",
    );
  }
  throw new WorkflowRuntimeError(
    `Run "${old.runId}" cannot go on: its idempotencyKey belongs to run "${holder}" by now. Look at that run.`,
  );
}

/** Makes the run with those of its messages that no other run has. */
async function createWithMail(request: CreateRun, create: ForkTerms["create"]): Promise<CreateRunResult> {
  const result = await create(request);
  if (result.outcome !== "mailed") return result;
  const mail = request.mail.filter(({ messageId }) => messageId !== result.messageId);
  return await createWithMail({ ...request, mail }, create);
}

/** The run had ended by then. */
function isOver({ role }: EventRole): boolean {
  return role === "last" || role === "end";
}

function isOfAttempt(role: EventRole): boolean {
  return role.role === "note" && role.ofAttempt === true;
}

function isOwn(role: EventRole): boolean {
  return role.role === "note" && role.own === true;
}

/** An origin whose events stand elsewhere in the new journal. */
function moved(origin: Origin, until: (before: number) => number): Origin {
  const inner = origin.origin === null ? null : moved(origin.origin, until);
  return { ...origin, until: until(origin.until), origin: inner };
}

/** @throws {WorkflowRunNotFoundError} if the run was deleted since its row was read */
async function journalOf(
  world: Pick<ForkTerms["world"], "listEvents">,
  old: RunRecord,
): Promise<readonly JournalEvent[]> {
  const journal = await wholeJournal((...page) => world.listEvents(...page), old);
  if (journal.at(-1)?.seq !== old.seq) {
    if (isTerminal(old.status)) throw new WorkflowRunNotFoundError(old.runId);
    // It has begun anew meanwhile, and has none of those steps any more.
    return [];
  }
  refuseSealed(journal);
  return journal;
}
