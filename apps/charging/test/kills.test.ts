import { expect, it } from "vitest";
import { KillSchedule, planKills } from "../src/kills.ts";
import { type Moment, type Phase, type ServerName, victimOf } from "../src/servers/moments.ts";

const servers = [
  ["payment", "charge"],
  ["receipts", "receipt"],
] as const;

const options = { seed: 1, kills: 5, customers: 25, workers: 2 };

/** Drives a schedule with customers whose requests never fail, a few at a time, and returns the moments of the kills. */
function play(schedule: KillSchedule, customers: number, workers: number): Moment[] {
  const kills: Moment[] = [];
  let request = 0;
  for (let i = 0; i < customers; i++) {
    for (const [server, effect] of servers) {
      for (let n = 1, killed = true; killed; n++) {
        killed = false;
        const door = (i + n) % workers;
        const moment = { server, effect, request: ++request, door, customer: `cus_${i}`, n };
        for (const phase of ["arrived", "executed", "ended"] as Phase[]) {
          if (!schedule.observe({ ...moment, phase })) continue;
          kills.push({ ...moment, phase });
          schedule.up("worker", moment.door);
          killed = true;
        }
      }
    }
  }
  return kills;
}

it("plans the same kills for a seed, each while customers are still to be charged", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const plan = planKills({ ...options, seed });
    expect(plan).toEqual(planKills({ ...options, seed }));
    expect(plan.every((kill, i) => kill.afterCharges >= (plan[i - 1]?.afterCharges ?? 0))).toBe(true);
    expect(plan.every((kill) => kill.afterCharges < options.customers && kill.door < 2)).toBe(true);
  }
  expect(planKills(options)).not.toEqual(planKills({ ...options, seed: 2 }));
});

it("carries out every kill of the plan, whatever the seed, with one kill per customer too", () => {
  for (let seed = 1; seed <= 50; seed++) {
    for (const customers of [1, 5, 25]) {
      const kills = play(
        new KillSchedule({ seed, kills: Math.min(5, customers), customers, workers: 2 }),
        customers,
        2,
      );
      expect(kills).toHaveLength(Math.min(5, customers));
    }
  }
});

it("does not kill a restarted worker for a request that its predecessor left behind", () => {
  const schedule = new KillSchedule({ seed: 1, kills: 2, customers: 2, workers: 1 });
  const moments = servers.flatMap(([server, effect], i) =>
    (["arrived", "executed", "ended"] as const).map((phase) => ({
      server,
      effect,
      request: i + 1,
      door: 0,
      customer: "cus_1",
      n: 1,
      phase,
    })),
  );
  const first = moments.findIndex((moment) => schedule.observe(moment));
  schedule.up("worker", 0);
  const rest = moments.slice(first + 1).filter((moment) => moment.request === moments[first]?.request);
  expect(rest.some((moment) => schedule.observe(moment))).toBe(false);
  expect(schedule.left).toBe(1);
});

it("kills an API server every second time, whatever the seed", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const schedule = new KillSchedule({ ...options, seed, apis: 2 });
    const kills: string[] = [];
    const ask = (server: ServerName, effect: Moment["effect"], request: number): boolean => {
      const moment = { server, effect, request, door: request % 2, customer: `cus_${request}`, n: 1 };
      return (["arrived", "executed", "ended"] as const).some((phase) => {
        if (!schedule.observe({ ...moment, phase })) return false;
        kills.push(`${victimOf(moment)} ${phase}`);
        schedule.up(victimOf(moment), moment.door);
        return true;
      });
    };
    // Whoever is killed asks again, until there is an answer.
    for (let i = 0; i < options.customers; i++) {
      let n = 100 * i;
      while (ask("payment", "charge", ++n));
      while (ask("receipts", "receipt", ++n));
      while (ask("api", "charge", ++n));
    }
    expect(kills.map((kill) => kill.split(" ")[0])).toEqual(["worker", "api", "worker", "api", "worker"]);
    expect(kills).not.toContain("api arrived");
  }
});
