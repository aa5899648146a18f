import { HookConflictError, WorldError } from "@perdure/core/errors";
import { pause } from "@perdure/simulator/cluster";
import { LawBroken } from "./failure.ts";
import { mend } from "./kinds/step-body.ts";
import { type Stage, untilAnswered } from "./stage.ts";

/** Runs that go on where another one was. */

/** Two at once retry a failed run whose steps were mended; the run that goes on, or `null` if a token of it is another's. */
export async function retryTwice(stage: Stage, runId: string, program: string): Promise<string | null> {
  mend(program);
  const retry = (): Promise<string | null> =>
    untilAnswered(stage, async ({ client }) => {
      try {
        return (await client.getRun(runId).retry()).runId;
      } catch (error) {
        if (HookConflictError.is(error)) return null;
        throw error;
      }
    });
  await Promise.all([retry(), retry()]);
  return successorOf(stage, runId);
}

/** So long, in ms, a request may be on its way. */
const ON_ITS_WAY = 10_000;

/** Makes a fork of a run from some step; `null` if it has none, or if a token is another's. */
export async function forkOnce(stage: Stage, runId: string): Promise<string | null> {
  const { cluster, random, store } = stage;
  const steps = (store.state.runs.get(runId)?.journal ?? []).filter(({ type }) => type === "step_created");
  if (steps.length === 0) return null;
  const fromStep = random.pick(steps).id ?? "";
  const { client, process } = random.pick(cluster.clients);
  // Each request makes another run, so nobody asks again.
  const forked = new Promise<void>((resolve, reject) => {
    process.clock.turn(() => {
      client
        .getRun(runId)
        .fork({ fromStep })
        .then(
          () => resolve(),
          (error: unknown) =>
            HookConflictError.is(error) || WorldError.is(error) ? resolve() : reject(error),
        );
    });
  });
  await forked;
  await pause(cluster.driver, ON_ITS_WAY);
  return successorOf(stage, runId);
}

/** The one run that goes on for another. */
function successorOf({ store }: Stage, runId: string): string | null {
  const { runs } = store.state;
  const successors = [...runs.keys()].filter((other) => store.checks.fold(other)?.forkOf === runId);
  if (successors.length < 2) return successors[0] ?? null;
  throw new LawBroken("one run goes on for another", `${successors.join(" and ")} do`, runId);
}
