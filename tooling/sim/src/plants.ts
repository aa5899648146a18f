import type { MemoryState } from "@perdure/core/testing";
import type { RunCommit, World } from "@perdure/core/world";
import type { Plant } from "./config.ts";

/** Bugs on purpose, as wrappers around a correct World: the simulation has to find each of them. */
export function plantBug(world: World, state: MemoryState, plant: Plant): World {
  const row = (runId: string) => state.runs.get(runId)?.row;
  switch (plant) {
    case "no-epoch-check":
      return {
        ...world,
        commit: (batch, now) =>
          world.commit(
            batch.map((commit) => {
              const now = row(commit.runId);
              if (now === undefined || now.epoch === commit.epoch) return commit;
              return { ...commit, epoch: now.epoch, claimId: now.claimId ?? "", seq: now.seq };
            }),
            now,
          ),
      };
    case "deliver-without-wake":
      return {
        ...world,
        async deliver(batch, now) {
          const due = new Map([...state.runs.values()].map((run) => [run, run.row.dueAt]));
          const results = await world.deliver(batch, now);
          for (const [run, dueAt] of due) state.setRow(run, { dueAt });
          return results;
        },
      };
    case "park-over-mail":
      return {
        ...world,
        async commit(batch, now) {
          const results = await world.commit(batch, now);
          for (const { runId, lease, epoch } of batch) {
            const run = state.runs.get(runId);
            if (lease.type !== "park" || run?.row.owner !== null || run.row.epoch !== epoch) continue;
            state.setRow(run, { dueAt: lease.dueAt });
          }
          return results;
        },
      };
    case "commit-applied-twice":
      return {
        ...world,
        commit: (batch, now) => {
          // The second sending of a commit is taken for the next one.
          const again = ({ runId, epoch, seq, events }: RunCommit): boolean => {
            const now = row(runId);
            return (
              events.length > 0 &&
              now?.epoch === epoch &&
              now.owner !== null &&
              now.seq === seq + events.length
            );
          };
          return world.commit(
            batch.map((commit) =>
              again(commit) ? { ...commit, seq: commit.seq + commit.events.length } : commit,
            ),
            now,
          );
        },
      };
    case "event-order-swapped":
      return {
        ...world,
        commit: (batch, now) => world.commit(batch.map(swapped), now),
      };
  }
}

function swapped(commit: RunCommit): RunCommit {
  const [last, previous, ...others] = commit.events.toReversed();
  if (last === undefined || previous === undefined || commit.run.status !== undefined) return commit;
  return { ...commit, events: [...others.toReversed(), last, previous] };
}
