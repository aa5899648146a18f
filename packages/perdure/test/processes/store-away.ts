/** `store-away`: a program that has nothing to do but await what Perdure gives it, while the store does not answer. */
import { workflow } from "perdure";
import { getRun, resumeHook, start } from "perdure/api";
import { WorldError } from "perdure/errors";
import { configure } from "perdure/runtime";
import { memoryWorld } from "perdure/testing";

let away = 0;
const world = memoryWorld({
  beforeOperation: (operation) => {
    if (!operation.startsWith("open") && away-- > 0) throw new WorldError("The store is away.");
  },
});
configure({ world, worker: false });
const flow = workflow("store away", async () => {});
away = 3;
const { runId } = await start(flow);
console.log("started");
away = 3;
await resumeHook("nobody").catch(({ name }: Error) => console.log(name));
away = 3;
await getRun(runId).cancel();
console.log("cancelled");
away = Number.POSITIVE_INFINITY;
await start(flow).catch(({ message }: Error) => console.log(message));
