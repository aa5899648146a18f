import { derivedMessageId, type IdSource } from "../ids.ts";
import { ABORT_SIGNAL, type AbortOrder } from "../interpreter/signals.ts";
import {
  detached,
  encode,
  encodeError,
  named,
  type ReadSignal,
  type SignalData,
  type SignalHost,
  snapshot,
} from "../serialization/index.ts";
import type { Message } from "../world/index.ts";

/** Abort signals of ordinary code in what it sends to a run: they are tied to the run while this process lives. */

/** What tells a run of an abort. */
export interface SignalTerms {
  readonly now: () => number;
  readonly deliver: (message: Message) => Promise<unknown>;
  /** It could not be told. */
  readonly onUntold: (runId: string, error: unknown) => void;
}

export class OutsideSignals implements SignalHost {
  readonly #ids: IdSource;
  readonly #given: Map<AbortSignal, string> = new Map();

  constructor(ids: IdSource) {
    this.#ids = ids;
  }

  /** There is one. */
  get any(): boolean {
    return this.#given.size > 0;
  }

  write(signal: AbortSignal): SignalData {
    let id = this.#given.get(signal);
    if (id === undefined) {
      if (signal.aborted) return snapshot(signal);
      id = this.#ids.token();
      this.#given.set(signal, id);
    }
    return named(signal, null, id);
  }

  read(data: SignalData): ReadSignal {
    return detached(data);
  }

  /** The run has what was sent: it is told when one of the signals in that is aborted. */
  sentTo(runId: string, { now, deliver, onUntold }: SignalTerms): void {
    for (const [signal, id] of this.#given) {
      const tell = (): void => {
        const order: AbortOrder = { id, reason: encodeError(signal.reason) };
        const messageId = derivedMessageId("abort", runId, id);
        const data = encode(order, "abort");
        deliver({ messageId, to: { runId }, type: ABORT_SIGNAL, at: now(), data }).catch((error: unknown) =>
          onUntold(runId, error),
        );
      };
      if (signal.aborted) tell();
      else signal.addEventListener("abort", tell, { once: true });
    }
  }
}
