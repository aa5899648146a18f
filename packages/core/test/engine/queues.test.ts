import { workflow } from "@perdure/core";
import { expect, it } from "vitest";
import { cluster } from "./cluster.ts";

it("serves every queue while the first one has a backlog", async () => {
  const { process, client, settle } = cluster();
  const served: string[] = [];
  const busy = workflow("busy", async () => {
    served.push("busy");
  });
  const others = ["second", "third"].map((id) =>
    workflow(id, async () => {
      served.push(id);
    }),
  );
  for (let index = 0; index < 20; index++) await client.start(busy, []);
  for (const other of others) await client.start(other, []);
  await process({ maxRuns: 1 });
  await settle();
  expect(served).toHaveLength(22);
  expect(served[0]).toBe("busy");
  for (const id of ["second", "third"]) expect(served.indexOf(id)).toBeLessThan(8);
});
