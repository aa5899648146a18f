import { setAttributes, step } from "@perdure/core";
import type { JournalEvent } from "@perdure/core/world";
import { type RunFold, valueIn } from "../fold.ts";
import type { Node, StepSpec } from "../program.ts";
import { slot } from "../slot.ts";
import type { Kind, Maker, NodeKinds } from "./kind.ts";
import { newStep, outcomesOfStep } from "./step.ts";
import { body, PATIENT } from "./step-body.ts";

/** The attributes of a run, which its workflow and its steps set. */

const ATTRIBUTE = "label";

const label = step(
  "sim//label",
  async (spec: StepSpec, value: string | null): Promise<string> => {
    const key = await body(spec);
    await setAttributes({ [ATTRIBUTE]: value ?? undefined });
    return key;
  },
  PATIENT,
);

export const attributesNodes: NodeKinds<"attribute"> = {
  attribute: {
    async execute({ by, value }) {
      if (by !== "workflow") return await label(by, value);
      await setAttributes({ [ATTRIBUTE]: value ?? undefined });
      return value;
    },
    gives: ({ by, value }) => (by === "workflow" ? [value] : outcomesOfStep(by)),
  },
};

export function newAttribute(maker: Maker): Node {
  const { random } = maker;
  const by = random.chance(0.5)
    ? "workflow"
    : { ...newStep(maker), kind: "patient" as const, how: "plain" as const };
  return { type: "attribute", by, value: random.chance(0.8) ? maker.key() : null };
}

type Attributes = Readonly<Record<string, string>>;

const attributesOf: (fold: RunFold) => { now: Attributes } = slot(() => ({ now: {} }));

export const attributesKind: Kind = {
  events: {
    attributes_given: {
      read(fold, event) {
        fold.beforeBegin(event);
        attributesOf(fold).now = valueIn<Attributes>(event);
      },
    },
    attributes_set: { givesId: true, read: change },
    attributes_changed: { read: change },
  },
  anew(fold) {
    attributesOf(fold).now = {};
  },
  laws: {
    row(row, fold) {
      const { now } = attributesOf(fold);
      if (sameAttributes(row.attributes, now)) return null;
      return `attributes are ${JSON.stringify(row.attributes)}, the journal says ${JSON.stringify(now)}`;
    },
  },
};

function change(fold: RunFold, event: JournalEvent): void {
  const attributes = attributesOf(fold);
  const changed = { ...attributes.now, ...valueIn<Record<string, string | undefined>>(event) };
  const kept = Object.entries(changed).filter((entry): entry is [string, string] => entry[1] !== undefined);
  attributes.now = Object.fromEntries(kept);
}

function sameAttributes(a: Attributes, b: Attributes): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
