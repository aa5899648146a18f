/**
 * `kill-at-commit <before|after> <k>`: starts a run of 8 steps and ends itself by SIGKILL before its k-th commit is
 * sent, or after it is durable.
 */
import { start } from "perdure/api";
import { configure } from "perdure/runtime";
import { dieAtCommit } from "./die-at-commit.ts";
import { eightSteps } from "./eight-steps.ts";
import { world } from "./place.ts";

const [when = "", k = ""] = process.argv.slice(2);
const flow = eightSteps(`${when} ${k}`);

dieAtCommit(when, Number(k));
configure({ world, worker: { leaseTtl: 1_000, workflows: [flow] } });
await (await start(flow, [])).returnValue;
