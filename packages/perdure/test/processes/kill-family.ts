/**
 * `kill-family <before|after> <k>`: starts a parent with 20 children and ends itself by SIGKILL before its k-th commit is sent, or
 * after it is durable. One that has come to the end before writes a line `<k> commits`.
 */
import { start } from "perdure/api";
import { configure } from "perdure/runtime";
import { commits, dieAtCommit } from "./die-at-commit.ts";
import { family } from "./family.ts";
import { world } from "./place.ts";

const [when = "", k = ""] = process.argv.slice(2);
const { parent, child } = family(`${when} ${k}`);

dieAtCommit(when, Number(k));
configure({ world, worker: { leaseTtl: 1_000, workflows: [parent, child] } });
await (await start(parent, [])).returnValue;
console.log(`${commits} commits`);
process.exit();
