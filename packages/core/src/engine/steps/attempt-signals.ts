import { AsyncLocalStorage } from "node:async_hooks";
import type { StepStore } from "../../context.ts";
import { abortError } from "../../errors/step.ts";
import { ABORT_SIGNAL, type AbortOrder, type Signals } from "../../interpreter/signals.ts";
import {
  detached,
  encode,
  encodeError,
  named,
  type ReadSignal,
  type SignalData,
  type SignalHost,
  snapshot,
} from "../../serialization/index.ts";

/** What the signals of an attempt need of its run. */
export interface SignalOwner {
  readonly runId: string;
  readonly stepId: string;
  readonly attempt: number;
  /** Those of the workflow. */
  readonly signals: Pick<Signals, "listen">;
  readonly send: StepStore["send"];
}

interface Tied {
  readonly run: string;
  readonly id: string;
  readonly controller: AbortController | null;
  /** It was aborted elsewhere, or with the attempt: nobody has to be told. */
  told: boolean;
}

/** Signals that have a name in a run. */
interface Ties {
  readonly byName: Map<string, ReadSignal & Tied>;
  readonly names: Map<AbortSignal, Pick<Tied, "run" | "id">>;
}

/**
 * The abort signals of one attempt: its own, made when the body asks for it, and those that it was given. A given one is aborted with
 * the workflow's, and with the attempt; where the body aborts one, its run is told by mail.
 */
export class AttemptSignals implements SignalHost {
  readonly #owner: SignalOwner;
  #controller: AbortController | null = null;
  #aborted: { readonly reason: unknown } | null = null;
  /** Most attempts are given none. */
  #ties: Ties | null = null;
  readonly #given: AbortSignal[] = [];
  /** Called when the attempt is over. */
  #leave: (() => void)[] = [];
  readonly #sent: Promise<void>[] = [];
  #made = 0;

  constructor(owner: SignalOwner) {
    this.#owner = owner;
  }

  /** The attempt's own. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#aborted !== null) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  /** The body may know that the attempt was aborted, so how it ends may be its answer to that. */
  get heard(): boolean {
    return this.#aborted !== null && (this.#controller !== null || this.#given.length > 0);
  }

  /** Aborts the attempt. */
  abort(reason: unknown): void {
    if (this.#aborted !== null) return;
    this.#aborted = { reason };
    this.#controller?.abort(reason);
    for (const tied of this.#ties?.byName.values() ?? []) {
      tied.told = true;
      tied.controller?.abort(reason);
    }
  }

  write(signal: AbortSignal, _controller: AbortController | null): SignalData {
    let name = this.#ties?.names.get(signal);
    if (name === undefined) {
      if (signal.aborted) return snapshot(signal);
      const { runId, stepId, attempt } = this.#owner;
      name = { run: runId, id: `${stepId}.${attempt}.${++this.#made}` };
      this.#tie({ ...name, signal, controller: null, told: false });
    }
    return named(signal, name.run, name.id);
  }

  read(data: SignalData): ReadSignal {
    if (data.id === null) {
      const read = detached(data);
      this.#given.push(read.signal);
      return read;
    }
    const run = data.run ?? this.#owner.runId;
    const known = this.#ties?.byName.get(`${run}/${data.id}`);
    if (known !== undefined) return known;
    const { signal, controller } = detached({ ...data, aborted: false });
    const tied = { run, id: data.id, signal, controller, told: data.aborted };
    this.#given.push(signal);
    this.#tie(tied).byName.set(`${run}/${data.id}`, tied);
    // The abort of a workflow is told in the workflow's context, and what listens here is the step's.
    const inStep = AsyncLocalStorage.snapshot();
    const abort = (reason: unknown): void => {
      tied.told = true;
      inStep(() => controller?.abort(reason));
    };
    if (data.aborted) abort(data.reason);
    else this.#leave.push(this.#owner.signals.listen(data.run, data.id, abort));
    return tied;
  }

  /** What a body threw because it was aborted is what the workflow gets, and no reason to try again. */
  judged(thrown: unknown): unknown {
    if (this.#aborted !== null) return thrown;
    const aborted = this.#given.filter((signal) => signal.aborted);
    const obeyed = aborted.find(({ reason }) => reason === thrown);
    if (obeyed !== undefined) return abortError(thrown, obeyed.reason);
    if (!(thrown instanceof Error) || thrown.name !== "AbortError") return thrown;
    return abortError(thrown, aborted[0]?.reason ?? thrown);
  }

  /** The body has aborted something. */
  get aborted(): boolean {
    return this.#sent.length > 0;
  }

  /** Resolves when those who have to know of what the body aborted will: rejects if that could not be stored. */
  async settled(): Promise<void> {
    await Promise.all(this.#sent);
  }

  /** The attempt is over: nothing is told to its body any more. */
  end(): void {
    if (this.#leave.length === 0) return;
    for (const leave of this.#leave) leave();
    this.#leave = [];
  }

  #tie(tied: ReadSignal & Tied): Ties {
    const { run, id, signal } = tied;
    this.#ties ??= { byName: new Map(), names: new Map() };
    this.#ties.names.set(signal, { run, id });
    signal.addEventListener("abort", () => !tied.told && this.#tell(run, id, signal.reason), { once: true });
    return this.#ties;
  }

  #tell(run: string, id: string, reason: unknown): void {
    const order: AbortOrder = { id, reason: encodeError(reason) };
    const sent = this.#owner.send(run, ABORT_SIGNAL, encode(order, "abort"));
    sent.catch(() => {});
    this.#sent.push(sent);
  }
}
