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
      const path = join(folder, "world.db");
      const prefix = newKey();
      const world = sqliteWorld({ path });
      await world.open();
      onTestFinished(async () => {
        await world.close();
        rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
      });
      const killed = POINTS.map((point) => ({ point, key: `${prefix}${point}` }));
      const script = join(import.meta.dirname, "kill-worker.ts");
      for (const { point, key } of killed) {
        const ended = await startProcess(script, [path, kind, url, point, key]).ended();
        expect(`${point}: ${ended}`).toBe(`${point}: SIGKILL`);
      }
      // What was committed is there, and nothing of what was not.
      const { works, flow } = await counted();
      expect(await subject.keys(prefix)).toEqual([`${prefix}committed`, `${prefix}returned`]);
      const worker = createWorker({ world, workflows: [flow], pollInterval: 50, logger: "silent", signals: [] });
      await worker.start();
      onTestFinished(() => worker.close({ timeout: 0 }));
      const client = new Client({ world, logger: "silent" });
      for (const { key } of killed) {
        const run = await client.start(flow, [key], { idempotencyKey: key });
        expect(await run.returnValue).toBe(key);
      }
      expect(await subject.keys(prefix)).toEqual(killed.map(({ key }) => key).sort());
      expect(works.sort()).toEqual(
        killed.filter(({ point }) => point !== "committed" && point !== "returned").map(({ key }) => key).sort(),
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
    });
  });
}
