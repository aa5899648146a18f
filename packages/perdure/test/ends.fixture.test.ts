import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bin, projectFolder } from "./bin.ts";

// How the command ends where the user's code would not let it.

test("a worker that is told to end does so although a body ignores its signal; so does what only loads the code", {
  timeout: 120_000,
}, async () => {
  const { folder, perdure, start } = projectFolder("operate/lingering.ts");
  const worker = start("worker", "lingering.ts");
  await worker.line((line) => line.includes("executes what is due"));
  await expect.poll(async () => (await perdure("workers")).out, { timeout: 20_000 }).toContain("//linger");
  // By the name of its function.
  const id = (await perdure("start", "linger")).out.trim();
  await expect.poll(() => existsSync(join(folder, "hangs")), { timeout: 20_000 }).toBe(true);
  expect((await perdure("run", id)).out).toMatch(
    /… step {3}step\/\/\.\/lingering\/\/hang {2}open [\d.]+ m?s/,
  );
  worker.signal("SIGTERM");
  await worker.line("ended");
  expect(await worker.ended()).toBe(0);
  expect(await perdure("replay", "--code", "lingering.ts")).toMatchObject({
    code: 0,
    out: "1 of 1 journals are followed, 0 diverge.\n",
  });
});

test("output that nobody reads any more ends the command without a word", { timeout: 60_000 }, async () => {
  const { folder, perdure } = projectFolder();
  await perdure("start", "nobody");
  const child = spawn(process.execPath, [bin, "runs", "--follow", "--json"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.destroy();
  let said = "";
  child.stderr.on("data", (text) => {
    said += text;
  });
  const [code] = await once(child, "close");
  expect({ code, said }).toEqual({ code: 0, said: "" });
});
