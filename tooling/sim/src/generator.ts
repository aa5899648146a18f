import type { Random } from "@perdure/simulator/cluster";
import { newAttribute } from "./kinds/attributes.ts";
import { newShieldedStep } from "./kinds/cancel.ts";
import { newChild } from "./kinds/child.ts";
import { newFinally } from "./kinds/finally.ts";
import { newLoop } from "./kinds/flow.ts";
import { newHook } from "./kinds/hook.ts";
import type { HookNode, Maker, Surroundings } from "./kinds/kind.ts";
import { newLocked } from "./kinds/lock.ts";
import { newOnce, newOnceStep } from "./kinds/once.ts";
import { newShared } from "./kinds/shared.ts";
import { newState } from "./kinds/state.ts";
import { newStep } from "./kinds/step.ts";
import { newWriters } from "./kinds/stream.ts";
import { newSleep } from "./kinds/wait.ts";
import { newWatch } from "./kinds/watch.ts";
import type { Node, Program, StepSpec } from "./program.ts";

/** Makes seeded programs. */

const DEPTH = 3;
/** Runs below runs below a program's own. */
const GENERATIONS = 2;
/** The runs that several programs want, each under a key. */
const KEYED = 2;
/** The steps that several programs want, each executed once. */
const ONCE = 2;
/** In so many clusters all programs begin with one lock, so that there is a line before it. */
const CROWDED = 0.15;

/** In so many programs several steps write to a stream first. */
const WRITING = 0.15;

/** @param seeded the stream of a name */
export function newProgram(index: number, random: Random, seeded: (name: string) => Random): Program {
  const keyed = Array.from({ length: KEYED }, (_, n): Node => {
    const generator = new Generator(`k${n}`, seeded(`keyed ${n}`), {
      index: 0,
      generations: 0,
      keyed: [],
      onces: [],
    });
    return generator.sequence(DEPTH - 1);
  });
  const onces = Array.from({ length: ONCE }, (_, n): StepSpec => {
    const nothing = { index: 0, generations: 0, keyed: [], onces: [] };
    return newOnceStep(new Generator(`o${n}`, seeded(`once ${n}`), nothing));
  });
  const generator = new Generator(`p${index}`, random, { index, generations: GENERATIONS, keyed, onces });
  const { root, hook } = generator.root();
  const beside = new Generator(`p${index}/beside`, seeded(`beside ${index}`), {
    index: 0,
    generations: 0,
    keyed: [],
    onces: [],
  });
  const begun = beside.random.chance(WRITING) ? after(newWriters(beside), root) : root;
  return {
    index,
    root: seeded("line").chance(CROWDED) ? after(CROWD, begun) : begun,
    hook,
    startsAt: random.int(0, 3000),
    starters: random.pick([1, 1, 2, 4]),
    cancelsAt: random.chance(0.2) ? random.int(0, 6000) : null,
    cancelMode: random.chance(0.3) ? "terminate" : "graceful",
    wokenAt: random.chance(0.2) ? random.int(0, 6000) : null,
    after: random.pick(["retry", "retry", "fork", null] as const),
  };
}

/** What all programs of a crowded cluster begin with. */
const CROWD: Node = {
  type: "locked",
  key: "crowd",
  limit: 1,
  timeout: null,
  releases: true,
  node: { type: "sleep", ms: 1_000 },
};

function after(first: Node, root: Node): Node {
  // What continues as new is a program's root.
  return root.type === "anew" ? root : { type: "sequence", nodes: [first, root] };
}

class Generator implements Maker {
  readonly name: string;
  readonly random: Random;
  readonly around: Surroundings;
  #generations: number;
  #count = 0;
  /** The program may have a lock by now. */
  #locks = false;

  constructor(name: string, random: Random, around: Surroundings) {
    this.name = name;
    this.random = random;
    this.around = around;
    this.#generations = around.generations;
  }

  /** A program's root, and the token of the hook that its run is started with. */
  root(): { readonly root: Node; readonly hook: string | null } {
    const random = this.random;
    const hook = random.chance(0.15) ? newHook(this) : null;
    const first = this.sequence(0);
    const node: Node = hook === null ? first : { type: "sequence", nodes: [hook, first] };
    const token = hook?.hook.token ?? null;
    if (!random.chance(0.2)) return { root: node, hook: token };
    return {
      root: { type: "anew", node, next: this.#next(hook?.hook.how === "dispose" ? null : hook) },
      hook: token,
    };
  }

  /** The next generation of a run, which may have a hook from the one before. */
  #next(hook: HookNode | null): Node {
    const again: Node[] =
      hook === null || this.random.chance(0.3)
        ? []
        : [{ type: "hook", hook: { ...hook.hook, how: "await", takes: hook.hook.sent - hook.hook.takes } }];
    return { type: "sequence", nodes: [...again, ...this.#several(1, 3, 0)] };
  }

  sequence(depth: number): Node {
    return { type: "sequence", nodes: this.#several(1, depth === 0 ? 6 : 3, depth) };
  }

  #several(low: number, high: number, depth: number): readonly Node[] {
    return Array.from({ length: this.random.int(low, high) }, () => this.node(depth + 1));
  }

  node(depth: number): Node {
    const random = this.random;
    if (depth >= DEPTH || random.chance(0.45)) return this.#leaf();
    switch (random.int(0, 11)) {
      case 0:
        return this.sequence(depth);
      case 1:
      case 2: {
        const how = random.pick(["all", "allSettled", "race", "any"] as const);
        return { type: "parallel", how, nodes: this.#several(2, 4, depth) };
      }
      case 3:
        return { type: "limit", node: this.node(depth + 1), ms: this.random.int(0, 800) };
      case 4:
        return { type: "helper", node: this.node(depth + 1) };
      case 5:
        return { type: "try", node: this.node(depth + 1) };
      case 6:
        return newFinally(this, depth);
      case 7:
        return newShared(this, this.node(depth + 1));
      case 8:
        return { type: "floating", node: this.node(depth + 1) };
      case 9:
        return { type: "branch", left: this.node(depth + 1), right: this.node(depth + 1) };
      case 10:
        this.#locks = true;
        return newLocked(this, depth);
      default:
        return newLoop(this);
    }
  }

  child(): Node {
    this.#generations--;
    const root = this.sequence(DEPTH - 1);
    this.#generations++;
    return root;
  }

  #leaf(): Node {
    const random = this.random;
    const kind = random.next();
    const { index, onces } = this.around;
    if (onces.length > 0 && random.chance(0.08)) return newOnce(this);
    if (this.#generations > 0 && random.chance(0.15)) return newChild(this);
    if (index > 0 && random.chance(0.05)) {
      const watch = newWatch(this);
      // Who has a lock does not wait for one who may want it: nobody but its author can end such a circle.
      return this.#locks ? { type: "sleep", ms: 10 } : watch;
    }
    if (random.chance(0.05)) return newShared(this, { type: "step", step: newStep(this) });
    if (kind < 0.6) return { type: "step", step: newStep(this) };
    if (kind < 0.64) return newState(this);
    if (kind < 0.68) return newAttribute(this);
    if (kind < 0.7) return { type: "shielded", step: newShieldedStep(this), rest: random.pick([0, 0, 3000]) };
    if (kind < 0.72) return { type: "clock" };
    if (kind < 0.85 || this.around.generations === 0) return newSleep(this);
    return newHook(this);
  }

  key(): string {
    return `${this.name}/${this.count()}`;
  }

  count(): number {
    return this.#count++;
  }
}
