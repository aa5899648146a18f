import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createWorker } from "@perdure/core/runtime";
import { Client } from "@perdure/core/testing";
import { startProcess } from "@perdure/testbed/processes";
import { sqliteWorld } from "@perdure/world-sqlite";
import { describe, expect, it, onTestFinished } from "vitest";
import { POINTS, program } from "./kill-points.ts";
import { newKey, opened, type Subject } from "./programs.ts";

/** Both or neither, wherever the process ends: the business row, and the result of the step. */
export function killLaws<Trx>(subject: Subject<Trx>, kind: string, url: string): void {
  describe(`${subject.name}: kill -9`, () => {
    it("leaves one business row and one result, at every point of the step", async () => {
      const folder = mkdtempSync(join(tmpdir(), "perdure-kill-"));
      const prefix = newKey();
      onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
      const script = join(import.meta.dirname, "kill-worker.ts");
      const killed = POINTS.map((point) => ({
        point,
        key: `${prefix}${point}`,
        path: join(folder, `${point}.db`),
      }));
      // Each has a store of its own, so that none goes on with the run of another one.
      const ended = killed.map(({ point, key, path }) =>
        startProcess(script, [path, kind, url, point, key]).ended(),
      );
      expect(await Promise.all(ended)).toEqual(POINTS.map(() => "SIGKILL"));
      // What was committed is there, and nothing of what was not.
      expect(await subject.keys(prefix)).toEqual([`${prefix}committed`, `${prefix}returned`]);
      const { works, flow } = await counted();
      for (const { key, path } of killed) {
        const world = sqliteWorld({ path });
        const worker = createWorker({
          world,
          workflows: [flow],
          pollInterval: 50,
          logger: "silent",
          signals: [],
        });
        await worker.start();
        const run = await new Client({ world, logger: "silent" }).start(flow, [key], { idempotencyKey: key });
        expect(await run.returnValue).toBe(key);
        await worker.close({ timeout: 0 });
        await world.close();
      }
      expect(await subject.keys(prefix)).toEqual(killed.map(({ key }) => key).sort());
      expect(works.sort()).toEqual(
        killed
          .filter(({ point }) => point !== "committed" && point !== "returned")
          .map(({ key }) => key)
          .sort(),
      );

      async function counted() {
        const works: string[] = [];
        const connection = await opened(subject);
        const counting: Subject<Trx> = {
          ...subject,
          insert: (trx, key) => {
            works.push(key);
            return subject.insert(trx, key);
          },
        };
        return { works, flow: program(counting, connection, () => {}) };
      }
    }, 120_000);
  });
}
