import type { Kind } from "./kind.ts";

/** The run itself: `run_created` by whoever starts it, `run_started` with its execution, and its end. */
export const runKind: Kind = {
  events: {
    run_created: { role: "nothing" },
    run_started: { role: "begin" },
    run_completed: { role: "end" },
    run_failed: { role: "end" },
    run_cancelled: { role: "end" },
  },
};
