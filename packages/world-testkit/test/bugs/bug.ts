import type { MemoryRun } from "@perdure/core/testing";
import type { CommitEvent, CreateRun, Message, RunCommit, World } from "@perdure/core/world";
import type { Planted } from "../memory-target.ts";

/** One way to break one law. The methods given replace those of a memory World that is right. */
export interface Bug {
  /** Name of the law whose file must find it. */
  readonly law: string;
  readonly what: string;
  readonly plant: (planted: Planted) => Partial<World>;
}

export function bug(law: string, what: string, plant: Bug["plant"]): Bug {
  return { law, what, plant };
}

/** The stored run, for bugs that reach around the World. */
export function stored({ state }: Planted, runId: string): MemoryRun | undefined {
  return state.runs.get(runId);
}

/** Lets others in between two halves of an act that should be one. */
export function gap(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A World that makes other runs than it was asked for. */
export function starting(world: World, change: (run: CreateRun, now: number) => CreateRun): Partial<World> {
  return {
    createRuns: (batch, now) =>
      world.createRuns(
        batch.map((run) => change(run, now)),
        now,
      ),
  };
}

/** A World that writes other commits than it was asked for. */
export function committing(
  world: World,
  change: (commit: RunCommit, now: number) => RunCommit,
): Partial<World> {
  return {
    commit: (batch, now) =>
      world.commit(
        batch.map((commit) => change(commit, now)),
        now,
      ),
  };
}

/** The same of the events of all commits. */
export function writing(world: World, change: (event: CommitEvent) => CommitEvent): Partial<World> {
  return committing(world, (commit) => ({ ...commit, events: commit.events.map(change) }));
}

/** A World that delivers other messages than it was asked for. */
export function delivering(world: World, change: (message: Message) => Message): Partial<World> {
  return { deliver: (batch, now) => world.deliver(batch.map(change), now) };
}
