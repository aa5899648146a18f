import type { World } from "@perdure/core/world";
import {
  CLAIM_ID,
  finish,
  firstClaim,
  hold,
  NOW,
  newRun,
  releasing,
  taking,
} from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { openWorld, serverUrl, superuser, temporarySchema } from "./store.ts";

const lease = { owner: "w", claimId: CLAIM_ID, ttl: 30_000 };

test("whoever touches several names takes them in one order: nobody waits in a circle", async () => {
  const schema = temporarySchema();
  // Nobody is freed from a circle before the calls in it have taken too long.
  const url = `${await serverUrl()}?options=${encodeURIComponent("-c deadlock_timeout=1h")}`;
  const open = () => openWorld({ url, schema, callTimeout: 10_000 });
  const world = await open();
  const worlds = [world, await open(), await open(), await open()];
  for (let round = 0; round < 15; round++) {
    const names = Array.from({ length: 40 }, (_, index) => `${round}-${index}`);
    const shuffled = (by: number) => names.map((_, index) => names[(index * by) % 40] ?? "");
    const [ends, deleted, releases, takes] = ["e", "d", "r", "t"].map((kind) => `${kind} ${round}`) as [
      string,
      string,
      string,
      string,
    ];
    const claims = (order: readonly string[]) =>
      order.map((name) => firstClaim(name, { id: `id of ${name}` }));
    // Each run has a third of the names, in an order of its own.
    const third = (of: number) => shuffled(7).filter((_, index) => index % 3 === of);
    await world.createRuns(
      [
        newRun(ends, { lease, names: claims(third(0)) }),
        newRun(deleted, {
          lease,
          names: claims(third(1)).map((claim) => ({ ...claim, freeAt: NOW + 1 })),
        }),
        newRun(releases, { lease, names: claims(third(2)) }),
        newRun(takes, { lease }),
      ],
      NOW,
    );
    await world.commit([finish(deleted, 1, NOW)], NOW);
    const acts: readonly ((from: World) => Promise<unknown>)[] = [
      (from) => from.commit([finish(ends, 1, NOW)], NOW),
      (from) => from.deleteRuns([deleted]),
      (from) =>
        from.commit(
          [
            hold(
              releases,
              1,
              third(2).map((name) => releasing(`id of ${name}`)),
            ),
          ],
          NOW,
        ),
      (from) =>
        from.commit(
          [
            hold(
              takes,
              1,
              shuffled(3).map((name) => taking(name, name)),
            ),
          ],
          NOW + 1,
        ),
      (from) => from.createRuns([newRun(`a ${round}`, { names: claims(shuffled(9)) })], NOW + 1),
      (from) => from.createRuns([newRun(`b ${round}`, { names: claims(shuffled(11)) })], NOW + 1),
    ];
    await Promise.all(acts.map((act, index) => act(worlds[index % 4] ?? world)));
  }
});

test("a thousand generations leave the rows of the last one", async () => {
  const schema = temporarySchema();
  const world = await openWorld({ url: await serverUrl(), schema });
  await world.createRuns([newRun("wrun_1", { lease })], NOW);
  // The first generation is longer than what one commit deletes.
  const long = Array.from({ length: 2_500 }, (_, index) => taking(`${index}`, "taken"));
  await world.commit([hold("wrun_1", 1, long)], NOW);
  let seq = 1 + long.length;
  const left: number[] = [];
  const generation = [taking("hook", "hook"), releasing("hook")];
  const admin = await superuser();
  for (let number = 1; number <= 1_000; number++) {
    const commit = { ...hold("wrun_1", seq, generation), restart: true };
    expect(await world.commit([commit], NOW)).toMatchObject([{ outcome: "committed", conflicts: [] }]);
    seq += generation.length;
    if (number > 3 && number < 1_000) continue;
    const { rows } = await admin.query(`SELECT count(*)::int AS events FROM ${schema}.events`);
    left.push(rows[0].events);
  }
  expect(left).toEqual([1_503, 505, 2, 2]);
});
