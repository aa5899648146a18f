import type { Hint, JournalEvent, NewEvent, RunCommit, World } from "@perdure/core/world";
import type { Network } from "./network.ts";
import type { SimProcess } from "./process.ts";

/** The World as one process sees it: every call goes through the {@link Network}. */
export function processWorld(network: Network, world: World, process: SimProcess): World {
  const { fail, lawBroken } = network.options;

  function plain<T>(verb: string, effect: () => Promise<T>): Promise<T> {
    return network.call(process, { verb, runs: [], details: () => "", effect });
  }

  return {
    ...world,
    capabilities: { ...world.capabilities, commitsInFlight: network.options.config.commitsInFlight },
    open: () => plain("open", () => world.open()),
    close: async () => {},
    createRuns: (batch, now) =>
      network.call(process, {
        verb: "createRuns",
        runs: ids(batch),
        details: (results) => results?.map(({ outcome }) => outcome).join(" ") ?? "",
        effect: () => world.createRuns(batch, now),
      }),
    claim(request) {
      // As if it were sent by wire: what the process does later does not change it.
      const cached = new Map(request.cached);
      let runs: readonly string[] = [];
      return network.call(process, {
        verb: "claim",
        get runs() {
          return runs;
        },
        details: (result) =>
          result?.runs
            .map(({ run, lost, mail }) => `epoch ${run.epoch}${lost ? " lost" : ""}, ${mail.length} mail`)
            .join(" ") ?? "",
        async effect() {
          const result = await world.claim({ ...request, cached });
          runs = result.runs.map(({ run }) => run.runId);
          return result;
        },
      });
    },
    renew: (request) =>
      network.call(process, {
        verb: "renew",
        runs: ids(request.leases),
        details: (results) => results?.map(({ outcome }) => outcome).join(" ") ?? "",
        effect: () => world.renew(request),
      }),
    commit: (batch, now) =>
      network.call(process, {
        verb: "commit",
        runs: ids(batch),
        details: (results) =>
          batch
            .map((commit, index) => `${describe(commit)} -> ${results?.[index]?.outcome ?? "?"}`)
            .join("; "),
        effect: () => world.commit(batch, now),
        onAnswer: (results) => {
          results.forEach((result, index) => {
            if (result.outcome !== "out_of_step") return;
            const runId = batch[index]?.runId ?? null;
            fail(
              lawBroken("journal order", `the owner wrote behind the end, at ${batch[index]?.seq}`, runId),
            );
          });
        },
      }),
    deliver: (batch, now) =>
      network.call(process, {
        verb: "deliver",
        runs: batch.flatMap(({ to }) => ("runId" in to ? [to.runId] : [])),
        details: (results) =>
          batch.map(({ type }, index) => `${type} -> ${results?.[index]?.outcome ?? "?"}`).join("; "),
        effect: () => world.deliver(batch, now),
      }),
    getRuns: (runIds) => plain("getRuns", () => world.getRuns(runIds)),
    listRuns: (query) => plain("listRuns", () => world.listRuns(query)),
    countRuns: (filter) => plain("countRuns", () => world.countRuns(filter)),
    listEvents: (runId, after, limit) =>
      network.call(process, {
        verb: "listEvents",
        runs: [runId],
        details: (events) => `after ${after}: ${events?.length ?? "?"}`,
        effect: () => world.listEvents(runId, after, limit),
      }),
    listMail: (runs) =>
      network.call(process, {
        verb: "listMail",
        runs: ids(runs),
        details: (mail) => mail?.map((messages) => `${messages.length} mail`).join(" ") ?? "",
        effect: () => world.listMail(runs),
      }),
    listEndMail: (runId, after, limit) =>
      network.call(process, {
        verb: "listEndMail",
        runs: [runId],
        details: (mail) => `after ${after}: ${mail?.length ?? "?"}`,
        effect: () => world.listEndMail(runId, after, limit),
      }),
    getNames: (names, now) => plain("getNames", () => world.getNames(names, now)),
    listNames: (query) => plain("listNames", () => world.listNames(query)),
    deleteRuns: (runIds) => plain("deleteRuns", () => world.deleteRuns(runIds)),
    readRecords: (keys, now) => plain("readRecords", () => world.readRecords(keys, now)),
    writeRecords: (batch, now) => plain("writeRecords", () => world.writeRecords(batch, now)),
    listRecords: (query) => plain("listRecords", () => world.listRecords(query)),
    appendChunks: (batch) => plain("appendChunks", () => world.appendChunks(batch)),
    readChunks: (query) => plain("readChunks", () => world.readChunks(query)),
    closeStream: (request) => plain("closeStream", () => world.closeStream(request)),
    listStreams: (query) => plain("listStreams", () => world.listStreams(query)),
    subscribe: (listener) => hints(network, world, process, listener),
  };
}

/** Hints get lost, come late, doubled, and for no reason. */
function hints(
  network: Network,
  world: World,
  process: SimProcess,
  listener: (hint: Hint) => void,
): () => void {
  const { scheduler, random, on } = network.options;
  let open = true;
  const tell = (hint: Hint): void => {
    scheduler.at(scheduler.now + network.travel(), process, () => {
      if (open) listener(hint);
    });
  };
  const unsubscribe = world.subscribe((hint) => {
    const fate = on("hints") ? random.next() : 0.5;
    if (fate < 0.2) return;
    tell(hint);
    if (fate > 0.8) tell(hint);
    if (fate > 0.95) tell({ type: "changed" });
  });
  return () => {
    open = false;
    unsubscribe();
  };
}

function ids(items: readonly { readonly runId: string }[]): readonly string[] {
  return items.map(({ runId }) => runId);
}

/** One commit in a line of the trace. */
function describe({ runId, epoch, seq, events, mailDone, lease }: RunCommit): string {
  const to = lease.type === "park" ? `park until ${lease.dueAt}` : lease.type;
  return `${runId.slice(-6)} epoch ${epoch} at ${seq} [${events.map(eventText).join(", ")}] mail ${mailDone} ${to}`;
}

/** One event in a word or two. */
export function eventText({ type, id }: NewEvent | JournalEvent): string {
  return id === null ? type : `${type} ${id.slice(0, 10)}`;
}
