import { derivedMessageId } from "../../ids.ts";
import { decode, decodeError, encode } from "../../serialization/index.ts";
import type { Execution, StateKey } from "../execution.ts";
import {
  ABORT_SIGNAL,
  type AbortOrder,
  abortedAnswer,
  type KeptSignal,
  reasonIn,
  Signals,
  type SignalWatcher,
  WATCH_SIGNAL,
} from "../signals.ts";
import type { Kind } from "./kind.ts";

/**
 * Abort signals that others know: `signal_aborted` where the code aborts one, `abort_received` where a step or another run does,
 * `signal_watched` where another run asks to be told.
 */

/** The signals of an execution. */
export function signalsOf(execution: Execution): Signals {
  return execution.state(SIGNALS);
}

const SIGNALS: StateKey<Signals> = { name: "signals", make: newSignals };

function newSignals(execution: Execution): Signals {
  return new Signals(execution);
}

export const signalKind: Kind = {
  events: {
    signal_aborted: {
      role: "request",
      strict: false,
      journalled() {},
      // Most reasons hold a stack, and the code is past the place where it could be told another one.
      difference: () => null,
    },
    abort_received: {
      role: "delivery",
      deliver(execution, { id, data }) {
        signalsOf(execution).abort(id ?? "", data as Uint8Array);
      },
    },
    signal_watched: {
      role: "delivery",
      deliver(execution, { id, data }) {
        signalsOf(execution).watched(id ?? "", decode(data) as SignalWatcher);
      },
    },
    // What the generation before knew of one.
    signal_kept: {
      role: "note",
      note(execution, { data }) {
        signalsOf(execution).keep(decode(data) as KeptSignal);
      },
    },
  },
  messages: {
    [ABORT_SIGNAL](execution, { data }) {
      const { id, reason } = decode(data) as AbortOrder;
      if (!signalsOf(execution).isOpen(id)) return null;
      decodeError(reason);
      return { type: "abort_received", id, data: reason };
    },
    [WATCH_SIGNAL](_execution, { id, data }) {
      return id === null ? null : { type: "signal_watched", id, data };
    },
  },
  // Answers to those who asked too late to be told of the abort of a signal, which had been.
  owes: ({ run, journal, mail }) => ({
    messages: mail.flatMap(({ type, id, at, data, messageId }) => {
      const reason = type === WATCH_SIGNAL && id !== null ? reasonIn(journal, id) : null;
      if (reason === null) return [];
      const answer = abortedAnswer(decode(data) as SignalWatcher, reason);
      return [{ ...answer, messageId: derivedMessageId("signal", run.runId, messageId), at }];
    }),
  }),
  carry: (execution) =>
    signalsOf(execution)
      .kept()
      .map((kept) => ({ type: "signal_kept", id: kept.id, name: null, data: encode(kept, "signal") })),
};
