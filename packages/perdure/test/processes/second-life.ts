/** `second-life <what> [runId]`: a program that is killed in a step, and what of Perdure it touches when it is started again. */
import { getStepMetadata, step, workflow } from "perdure";
import { getRun, start } from "perdure/api";
import { configure } from "perdure/runtime";
import { gate, note, world } from "./place.ts";

const deadly = step("deadly", async () => {
  const { attempt } = getStepMetadata();
  note(`attempt ${attempt}`);
  if (attempt === 1) process.kill(process.pid, "SIGKILL");
  return attempt;
});
const flow = workflow("second life", async () => await deadly());

const [what, runId = ""] = process.argv.slice(2);
switch (what) {
  case "start":
    configure({ world, worker: { leaseTtl: 500, keepAlive: false } });
    await (await start(flow)).returnValue;
    break;
  case "returnValue":
    console.log(`result ${await getRun(runId).returnValue}`);
    break;
  case "status":
    await getRun(runId).status;
    await gate("over");
    break;
  case "configure":
    configure({ world });
    await gate("over");
    break;
  case "without a worker":
    configure({ world, worker: false });
    console.log(await getRun(runId).status);
    break;
  case "nothing":
    console.log("imported");
}
