import {
  createHook,
  FatalError,
  getStepMetadata,
  getWorkflowMetadata,
  shield,
  sleep,
  step,
  workflow,
} from "@perdure/core";
import { getRun, start } from "@perdure/core/api";

/**
 * The workflows of the golden journals, one for each feature. Their journals were recorded by an earlier version and are replayed
 * by this one, so nobody changes them: what a new version can do beside this is a new workflow with a journal of its own.
 */

/** An error without a stack, which would hold the paths of the machine that recorded it. */
function failure(message: string, fatal = false): Error {
  const error = fatal ? new FatalError(message) : new Error(message);
  error.stack = "";
  return error;
}

const echo = step("golden//echo", async (value: unknown) => value);
const flaky = step(
  "golden//flaky",
  async () => {
    const { attempt } = getStepMetadata();
    if (attempt < 3) throw failure(`attempt ${attempt}`);
    return attempt;
  },
  { backoff: () => 100 },
);
const fatal = step("golden//fatal", async () => {
  throw failure("fatal", true);
});
const slow = step("golden//slow", async (value: string) => value, { maxRetries: 0 });

/** A child of the last one below. */
const given = workflow("golden//given", async (input: unknown) => await echo(input));

const fails = workflow("golden//fails", async () => {
  await echo("before");
  throw failure("the end");
});

export const flows: Readonly<
  Record<
    "steps" | "parallel" | "sleeps" | "determinism" | "values" | "hooks" | "cancelled" | "fails" | "children",
    (...args: never[]) => Promise<unknown>
  >
> = {
  steps: workflow("golden//steps", async (name: string) => {
    const results = [await echo(name), await flaky()];
    const error = await fatal().catch((reason: Error) => reason.message);
    return [...results, error];
  }),

  parallel: workflow("golden//parallel", async () => {
    const all = await Promise.all([echo(1), echo(2), flaky()]);
    const settled = await Promise.allSettled([fatal(), echo(3)]);
    const first = await Promise.race([sleep(1_000).then(() => "late"), slow("early")]);
    const any = await Promise.any([fatal(), echo(4)]);
    return [all, settled.map(({ status }) => status), first, any];
  }),

  sleeps: workflow("golden//sleeps", async () => {
    const from = Date.now();
    await sleep("2h");
    await sleep(new Date(from + 3 * 3_600_000));
    return Date.now() - from;
  }),

  determinism: workflow("golden//determinism", async () => {
    const before = [Math.random(), crypto.randomUUID(), new Date().toISOString()];
    await sleep(10);
    const { workflowStartedAt } = getWorkflowMetadata();
    return [...before, Math.random(), crypto.randomUUID(), workflowStartedAt.toISOString()];
  }),

  values: workflow("golden//values", async (input: unknown) => await echo(input)),

  hooks: workflow("golden//hooks", async () => {
    const first = createHook<string>({ token: "golden", metadata: { n: 1n } });
    const second = createHook<string>({ token: "golden" });
    const conflict = await second.getConflict();
    const payloads = [await first];
    for await (const payload of first) {
      payloads.push(payload);
      if (payloads.length === 3) break;
    }
    first.dispose();
    const third = createHook<string>({ token: "golden" });
    const raced = await Promise.race([third, sleep("1d").then(() => "nobody")]);
    return [conflict !== null, payloads, raced];
  }),

  cancelled: workflow("golden//cancelled", async () => {
    try {
      await sleep("30d");
    } finally {
      await echo("undone");
      await shield(async () => {
        await sleep(1_000);
      });
    }
  }),

  fails,

  children: workflow("golden//children", async () => {
    const runs = [await start(given, ["a"]), await start(fails, [])] as const;
    const value = await runs[0].returnValue;
    const failed = await runs[1].returnValue.catch((error: Error) => error.name);
    return [value, failed, await runs[0].status, await getRun(runs[1].runId).workflowName];
  }),
};
