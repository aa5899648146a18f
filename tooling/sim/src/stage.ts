import { WorldError } from "@perdure/core/errors";
import type { Cluster, Member, Random } from "@perdure/simulator/cluster";
import type { Value } from "./kinds/kind.ts";
import type { Program } from "./program.ts";
import type { Store } from "./store.ts";

/** What those who act from outside have in common. */

/** How a run ended, as a client was told. */
export interface Answer {
  readonly status: "completed" | "failed" | "cancelled";
  readonly value?: Value;
}

export interface Play {
  readonly program: Program;
  runId: string | null;
  /** What a client was told of the run's end; `null` until then. */
  answer: Answer | null;
  /** Nothing is left to do. */
  done: boolean;
}

export interface Stage {
  readonly cluster: Cluster;
  readonly store: Store;
  readonly random: Random;
  /** Whether messages are sent twice. */
  readonly duplicates: () => boolean;
  readonly cancels: boolean;
  /** Whether runs are gone on with that have ended: not where code was deployed that follows no journal of before. */
  readonly successors: boolean;
  /** Payloads that clients sent with a start beside them, as `hook:token payload`. */
  readonly delivered: Set<string>;
  /** All of them, by the order of their programs. */
  readonly plays: readonly Play[];
}

/** How long a caller waits for an answer before it asks elsewhere. */
export const PATIENCE = 5000;

/** Asks some process, and another one when that does not answer. Everything asked here may be asked twice. */
export function untilAnswered<T>(stage: Stage, ask: (member: Member) => Promise<T>): Promise<T> {
  const { cluster, random } = stage;
  return new Promise((resolve, reject) => {
    let settled = false;
    const attempt = (): void => {
      if (settled) return;
      const member = random.pick([...cluster.clients, ...cluster.workers]);
      cluster.driver.clock.setTimer(cluster.driver.clock.now() + PATIENCE, attempt);
      member.process.clock.turn(() => {
        ask(member).then(
          (answer) => {
            settled = true;
            resolve(answer);
          },
          (error: unknown) => {
            // The store did not answer for a while: the patience above tries again.
            if (WorldError.is(error)) return;
            settled = true;
            reject(error);
          },
        );
      });
    };
    attempt();
  });
}
