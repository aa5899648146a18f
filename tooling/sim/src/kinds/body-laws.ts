import type { Scheduler, Trace } from "@perdure/simulator/cluster";
import { currentProcess, type SimProcess } from "@perdure/simulator/cluster";
import { LawBroken } from "../failure.ts";
import type { StepSpec } from "../program.ts";
import { Effects } from "./effects.ts";
import type { StoreView } from "./kind.ts";
import { stepsOf } from "./step.ts";
import type { BodyObserver } from "./step-body.ts";

export interface BodiesOptions {
  readonly scheduler: Scheduler;
  readonly view: StoreView;
  readonly trace: Trace;
  readonly fail: (error: unknown) => void;
  /** Whether a body ends its process now. */
  readonly deadly: (key: string) => boolean;
  readonly kill: (process: SimProcess) => void;
}

/** The laws about step bodies, checked in the moment in which one starts. */
export class Bodies implements BodyObserver {
  readonly #scheduler: Scheduler;
  readonly #view: StoreView;
  readonly #trace: Trace;
  readonly #fail: (error: unknown) => void;
  readonly #effects: Effects = new Effects();
  /** Attempts that have started, as `runId/stepId/attempt`. */
  readonly #started: Set<string> = new Set();
  /** The ids of steps that are executed once for a key. */
  readonly #once: Map<string, string> = new Map();

  readonly #deadly: (key: string) => boolean;
  readonly #kill: (process: SimProcess) => void;

  constructor(options: BodiesOptions) {
    this.#scheduler = options.scheduler;
    this.#view = options.view;
    this.#trace = options.trace;
    this.#fail = options.fail;
    this.#deadly = options.deadly;
    this.#kill = options.kill;
  }

  started(runId: string, stepId: string, attempt: number, { key, kind }: StepSpec): void {
    const process = currentProcess();
    const who = process?.name ?? "nobody";
    this.#trace.add(this.#scheduler.now, who, `body ${key} attempt ${attempt}`, runId, () =>
      stepId.slice(0, 10),
    );
    try {
      this.#check(runId, stepId, attempt, process?.workerId ?? null);
      if (kind === "shared") this.#executesOnce(runId, stepId, key);
      if (kind === "asked" || kind === "blind")
        this.#effects.begin(
          runId,
          stepId,
          attempt,
          kind === "blind" && this.#isRetried(runId, stepId, attempt),
        );
    } catch (error) {
      this.#fail(error);
    }
    if (process !== undefined && this.#deadly(key)) this.#kill(process);
  }

  #executesOnce(runId: string, stepId: string, key: string): void {
    const known = this.#once.get(key);
    this.#once.set(key, stepId);
    if (known === undefined || known === stepId) return;
    throw new LawBroken("a key executes once", `${key} is executed as step ${known} and as ${stepId}`, runId);
  }

  cancelled(runId: string, stepId: string): void {
    const fold = this.#view.fold(runId);
    if (fold === undefined || !stepsOf(fold).shielded.has(stepId)) return;
    this.#fail(new LawBroken("what is shielded goes on", `step ${stepId} was aborted by the cancel`, runId));
  }

  happens(runId: string, stepId: string, attempt: number): void {
    try {
      this.#effects.happen(runId, stepId, attempt);
    } catch (error) {
      this.#fail(error);
    }
  }

  asked(runId: string, stepId: string, attempt: number): boolean {
    const who = currentProcess()?.name ?? "nobody";
    const happened = this.#effects.ask(runId, stepId, attempt);
    this.#trace.add(this.#scheduler.now, who, `asks: ${happened ? "it happened" : "nothing"}`, runId, () =>
      stepId.slice(0, 10),
    );
    return happened;
  }

  /** The step failed in the run that this one goes on for. */
  #isRetried(runId: string, stepId: string, attempt: number): boolean {
    const before = this.#view.fold(this.#view.fold(runId)?.forkOf ?? "");
    return attempt === 1 && before !== undefined && stepsOf(before).closed.has(stepId);
  }

  #check(runId: string, stepId: string, attempt: number, workerId: string | null): void {
    const fold = this.#view.fold(runId);
    const row = this.#view.state.runs.get(runId)?.row;
    if (fold === undefined || row === undefined) throw new Error(`a body of an unknown run ${runId}`);
    const { closed, recorded, open, retries } = stepsOf(fold);
    if (closed.has(stepId) || recorded.has(stepId)) {
      throw new LawBroken("completed steps do not run again", `step ${stepId}, attempt ${attempt}`, runId);
    }
    if (row.owner !== workerId || row.dueAt === null || row.dueAt <= this.#scheduler.now) {
      const lease = `the lease is that of ${row.owner} until ${row.dueAt}`;
      throw new LawBroken(
        "bodies run under a lease",
        `step ${stepId} starts in ${workerId}, but ${lease}`,
        runId,
      );
    }
    if (!open.has(stepId) && !fold.spared.has(stepId)) {
      throw new LawBroken(
        "bodies run under a lease",
        `step ${stepId} starts before it is in the journal`,
        runId,
      );
    }
    const expected = 1 + (retries.get(stepId) ?? 0);
    if (attempt !== expected) {
      throw new LawBroken(
        "attempts are counted",
        `step ${stepId} starts as ${attempt}, not ${expected}`,
        runId,
      );
    }
    const id = `${runId}/${stepId}/${attempt}`;
    if (this.#started.has(id)) {
      throw new LawBroken("attempts are counted", `attempt ${attempt} of step ${stepId} starts twice`, runId);
    }
    this.#started.add(id);
  }
}
