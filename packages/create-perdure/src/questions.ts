/** The questions of the command, for what the flags leave open. */

import { cancel, confirm, intro, isCancel, outro, select, text } from "@clack/prompts";
import { TEMPLATES } from "./templates.ts";
import { WORLDS } from "./worlds.ts";

/** What was asked for on the command line; what is `undefined` is still open. */
export interface Answers {
  readonly directory: string | undefined;
  readonly template: string | undefined;
  readonly world: string | undefined;
  readonly install: boolean | undefined;
}

/** Whether nothing is open. */
export function hasAnswers({ directory, template, world, install }: Answers): boolean {
  return [directory, template, world, install].every((answer) => answer !== undefined);
}

/** The answers, or `undefined` if the questions were left with Ctrl-C: nothing is written then. */
export async function askFor(given: Answers): Promise<Answers | undefined> {
  intro("Perdure");
  const directory =
    given.directory ??
    (await text({ message: "Which folder?", placeholder: "perdure-app", defaultValue: "perdure-app" }));
  if (isCancel(directory)) return left();
  const template =
    given.template ?? (await select({ message: "Which program?", options: optionsOf(TEMPLATES) }));
  if (isCancel(template)) return left();
  const world =
    given.world ?? (await select({ message: "Where are its runs kept?", options: optionsOf(WORLDS) }));
  if (isCancel(world)) return left();
  const install = given.install ?? (await confirm({ message: "Install its packages now?" }));
  if (isCancel(install)) return left();
  outro(`Writing ${directory}`);
  return { directory, template, world, install };
}

function left(): undefined {
  cancel("Nothing was written.");
}

function optionsOf(choices: Readonly<Record<string, { label: string; hint: string }>>) {
  return Object.entries(choices).map(([value, { label, hint }]) => ({ value, label, hint }));
}
