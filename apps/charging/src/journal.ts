// The demo's side of the engine: starts the runs where there is no API, waits for them, and counts in the journal what they
// took. The demo executes none of them; that is left to the worker processes.

import type { World } from "@perdure/core/world";
import { start } from "perdure/api";
import { configure } from "perdure/runtime";
import type { OrderOutcome } from "./clients/clients.ts";
import type { Order } from "./clients/orders.ts";
import { loadWorkflow, type Variant } from "./workflows/choice.ts";

export interface Journal {
  /** Starts one run per order and waits for all of them, until the signal is aborted at the longest. */
  charge(orders: readonly Order[], signal: AbortSignal): Promise<OrderOutcome[]>;
  count(): Promise<{ attempts: number; diverged: number }>;
  close(): Promise<void>;
}

/** A page of runs or events. */
const pageSize = 500;

/** Opens the demo's own connection to the journal, for runs of this variant. */
export async function openJournal(world: World, variant: Variant): Promise<Journal> {
  const chargeCustomer = await loadWorkflow(variant);
  await world.open();
  configure({ world, worker: false });

  async function settle({ customer, amount }: Order): Promise<OrderOutcome> {
    try {
      const run = await start(chargeCustomer, [customer, amount], { idempotencyKey: `charge-${customer}` });
      await run.returnValue;
      return { customer };
    } catch (error) {
      return { customer, trouble: error instanceof Error ? error.message : String(error) };
    }
  }

  return {
    async charge(orders, signal) {
      const unfinished = new Promise<undefined>((resolve) => {
        if (signal.aborted) resolve(undefined);
        signal.addEventListener("abort", () => resolve(undefined), { once: true });
      });
      return Promise.all(
        orders.map(async (order) => {
          const outcome = await Promise.race([settle(order), unfinished]);
          return outcome ?? { customer: order.customer, trouble: "not finished in time" };
        }),
      );
    },
    async count() {
      let attempts = 0;
      let diverged = 0;
      let cursor: string | undefined;
      do {
        const page = await world.listRuns({ limit: pageSize, ...(cursor === undefined ? {} : { cursor }) });
        for (const { runId, status } of page.runs) {
          if (status === "diverged") diverged++;
          attempts += await attemptsOf(world, runId);
        }
        cursor = page.cursor ?? undefined;
      } while (cursor !== undefined);
      return { attempts, diverged };
    },
    close: () => world.close(),
  };
}

/** A step's first attempt is journaled by its creation, every further one by a retry. */
async function attemptsOf(world: World, runId: string): Promise<number> {
  let attempts = 0;
  let after = 0;
  for (;;) {
    const events = await world.listEvents(runId, after, pageSize);
    attempts += events.filter(({ type }) => type === "step_created" || type === "step_retrying").length;
    if (events.length < pageSize) return attempts;
    after = events.at(-1)?.seq ?? after;
  }
}
