import type { Client } from "@perdure/core/inspect";
import { type Clock, type Hint, systemClock } from "@perdure/core/world";

/**
 * Looks at the store for all viewers of one World: each question is asked once, however many wait for its answer; one look is under way
 * at a time; the World's hints bring it forward, and a poll stands behind them. Nobody looks while nobody watches.
 */

/** Something that viewers watch. */
export interface Question {
  /** Two viewers with the same one share the answer. */
  readonly key: string;
  /** Only hints about this run, and those that name none, bring the look forward. `null`: all do. */
  readonly runId: string | null;
  /** The events to send; what was sent before is not sent again. */
  readonly look: () => Promise<readonly LiveEvent[]>;
}

/** An event as it is sent. */
export interface LiveEvent {
  readonly event: string;
  readonly data: unknown;
}

/** Hears what is new. `text` is the data as JSON. */
export type Viewer = (event: string, text: string) => void;

interface Watched {
  readonly question: Question;
  readonly viewers: Set<Viewer>;
  /** What was sent last, by event: whoever comes later gets it at once. */
  readonly last: Map<string, string>;
  due: boolean;
}

/** The event that says that the store does not answer. */
const TROUBLE = "trouble";

/** Between two looks without a hint, in milliseconds: where the store tells of changes, and where it does not. */
const [POLL, POLL_WITHOUT_HINTS] = [2_000, 1_000];
/** A look follows a hint after so many milliseconds, for hints come in crowds. */
const SOON = 50;
/** Between two looks at least, in milliseconds, and at least so many times what the last one took. */
const [PAUSE, TIMES] = [250, 4];

export class LiveLooks {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #watched: Map<string, Watched> = new Map();
  #unsubscribe: (() => void) | undefined;
  #cancelTimer: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #looking = false;
  #notBefore = 0;

  constructor(client: Client, clock: Clock = systemClock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Tells a viewer the answer now and whenever it changes; returns what ends it. */
  watch(question: Question, viewer: Viewer): () => void {
    const { key } = question;
    let watched = this.#watched.get(key);
    if (watched === undefined) {
      watched = { question, viewers: new Set(), last: new Map(), due: true };
      this.#watched.set(key, watched);
    }
    const { viewers, last } = watched;
    viewers.add(viewer);
    for (const [event, text] of last) viewer(event, text);
    this.#unsubscribe ??= this.#client.world.subscribe((hint) => this.#hear(hint));
    this.#lookAt(this.#clock.elapsed());
    return () => {
      viewers.delete(viewer);
      if (viewers.size > 0 || this.#watched.get(key)?.viewers !== viewers) return;
      this.#watched.delete(key);
      if (this.#watched.size === 0) this.#stop();
    };
  }

  /** How many questions are watched. */
  get size(): number {
    return this.#watched.size;
  }

  #stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#cancelTimer?.();
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  #hear(hint: Hint): void {
    const about = "runId" in hint ? hint.runId : null;
    let any = false;
    for (const watched of this.#watched.values()) {
      const { runId } = watched.question;
      if (runId !== null && about !== null && about !== runId) continue;
      watched.due = true;
      any = true;
    }
    if (any) this.#lookAt(this.#clock.elapsed() + SOON);
  }

  #lookAt(at: number): void {
    const when = Math.max(at, this.#notBefore);
    if (this.#looking || when >= this.#timerAt || this.#watched.size === 0) return;
    this.#cancelTimer?.();
    this.#timerAt = when;
    const { now, elapsed } = { now: this.#clock.now(), elapsed: this.#clock.elapsed() };
    this.#cancelTimer = this.#clock.setTimer(now + Math.max(0, when - elapsed), () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      void this.#look();
    });
  }

  async #look(): Promise<void> {
    this.#looking = true;
    const began = this.#clock.elapsed();
    // All of them, also those that no hint was about: a hint may be lost.
    for (const watched of [...this.#watched.values()]) {
      if (watched.viewers.size > 0) await ask(watched);
    }
    this.#looking = false;
    const ended = this.#clock.elapsed();
    this.#notBefore = ended + Math.max(PAUSE, TIMES * (ended - began));
    const due = [...this.#watched.values()].some((watched) => watched.due);
    const { notifications } = this.#client.world.capabilities;
    this.#lookAt(due ? ended : ended + (notifications ? POLL : POLL_WITHOUT_HINTS));
  }
}

async function ask(watched: Watched): Promise<void> {
  watched.due = false;
  const { question, viewers, last } = watched;
  const events = await question.look();
  // When it is over, all is told again: viewers show trouble until they hear something else.
  if (last.has(TROUBLE) && !events.some(({ event }) => event === TROUBLE)) last.clear();
  for (const { event, data } of events) {
    const text = JSON.stringify(data);
    if (last.get(event) === text) continue;
    last.set(event, text);
    for (const viewer of viewers) viewer(event, text);
  }
}
