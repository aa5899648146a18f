import type { MemoryState } from "@perdure/core/testing";
import { isTerminal, type RunCommit, type World } from "@perdure/core/world";
import type { Plant } from "./config.ts";
import { plantLockBug } from "./lock-plants.ts";
import { plantTalkBug } from "./talk-plants.ts";

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
    case "after-work-skipped":
      return {
        ...world,
        async claim(request) {
          const result = await world.claim(request);
          const ended = result.runs.filter(({ run }) => isTerminal(run.status));
          // As if whoever claimed them had done all that they owed.
          const commits = ended.map(({ run }): RunCommit => {
            const { runId, epoch, claimId, seq, mailSeq, endSeq } = run;
            const lease = { type: "park", dueAt: null } as const;
            const patch = { endDone: endSeq };
            return {
              runId,
              epoch,
              claimId: claimId ?? "",
              seq,
              events: [],
              mailDone: mailSeq,
              run: patch,
              lease,
            };
          });
          await world.commit(commits, request.now);
          return { ...result, runs: result.runs.filter(({ run }) => !isTerminal(run.status)) };
        },
      };
    case "after-work-doubled": {
      let sendings = 0;
      // Ids that are new each time, and not derived from what is told.
      const fresh = (id: string): string => (id.startsWith("told_") ? `${id.slice(0, 40)}${sendings++}` : id);
      return {
        ...world,
        deliver: (batch, now) =>
          world.deliver(
            batch.map((message) => ({ ...message, messageId: fresh(message.messageId) })),
            now,
          ),
      };
    }
    case "restart-loses-mail":
      return {
        ...world,
        async commit(batch, now) {
          const generations = batch.map(({ runId }) => row(runId)?.generation);
          const results = await world.commit(batch, now);
          batch.forEach(({ runId }, index) => {
            const run = state.runs.get(runId);
            if (run === undefined || run.row.generation === generations[index]) return;
            state.setRow(run, { mailDone: run.row.mailSeq });
          });
          return results;
        },
      };
    case "record-over-newer":
      return {
        ...world,
        writeRecords: (batch, now) =>
          world.writeRecords(
            batch.map((write) => ({
              ...write,
              ifVersion: state.records.get(write.key, now)?.version ?? null,
            })),
            now,
          ),
      };
    case "name-given-twice":
      return {
        ...world,
        commit(batch, now) {
          for (const { events } of batch) {
            for (const { claim } of events) {
              const held = claim === undefined ? null : state.names.get(claim.name, now);
              const holder = state.runs.get(held?.runId ?? "");
              if (held !== null && holder !== undefined) state.names.release(holder, held.id);
            }
          }
          return world.commit(batch, now);
        },
      };
    case "lock-holders-unseen":
    case "lock-fence-stands":
    case "lock-outlives-run":
    case "lock-line-jumped":
    case "place-taken-unseen":
      return plantLockBug(world, state, plant);
    default:
      return plantTalkBug(world, plant);
  }
}

function swapped(commit: RunCommit): RunCommit {
  const [last, previous, ...others] = commit.events.toReversed();
  if (last === undefined || previous === undefined || commit.run.status !== undefined) return commit;
  // Neither times nor payloads tell: it is the code that has to find it.
  if (last.type === "hook_received" || previous.type === "hook_received") return commit;
  const events = [
    { ...last, at: previous.at },
    { ...previous, at: last.at },
  ];
  return { ...commit, events: [...others.toReversed(), ...events] };
}
