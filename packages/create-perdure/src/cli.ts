/** The command `create-perdure`: flags, questions for what they leave open, files, install. */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { parseArgs } from "node:util";
import { CreateError, createProject, type ProjectOptions } from "./create-project.ts";
import { type Answers, askFor, hasAnswers } from "./questions.ts";
import { TEMPLATES, type TemplateName } from "./templates.ts";
import { WORLDS, type WorldName } from "./worlds.ts";

const USAGE = `Usage: npm create perdure [folder] -- [options]

  --template <name>  ${Object.keys(TEMPLATES).join(", ")} (default: node)
  --world <name>     ${Object.keys(WORLDS).join(", ")} (default: sqlite)
  --yes, -y          ask nothing, take the defaults
  --no-install       write the files only
  --version, --help
`;

main().catch((error: unknown) => {
  if (!(error instanceof CreateError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});

async function main(): Promise<void> {
  const { values, positionals } = parsed();
  if (values.help) return void process.stdout.write(USAGE);
  if (values.version) return void process.stdout.write(`${ownVersion()}\n`);
  const given: Answers = {
    directory: positionals[0],
    template: values.template,
    world: values.world,
    install: values["no-install"] ? false : values.yes ? true : undefined,
  };
  const asks = !values.yes && process.stdin.isTTY && process.stdout.isTTY;
  const answers = asks && !hasAnswers(given) ? await askFor(given) : given;
  if (answers === undefined) return;
  const options: ProjectOptions = {
    directory: answers.directory ?? "perdure-app",
    template: (answers.template ?? "node") as TemplateName,
    world: (answers.world ?? "sqlite") as WorldName,
  };
  const project = await createProject(options);
  const manager = packageManager();
  const installed = answers.install !== false && install(manager, project.directory);
  process.stdout.write(closing(options, project.directory, installed ? undefined : manager));
}

function parsed(): ReturnType<typeof parse> {
  try {
    return parse();
  } catch (error) {
    throw new CreateError(`${(error as Error).message}\n\n${USAGE.trimEnd()}`);
  }
}

function parse() {
  return parseArgs({
    allowPositionals: true,
    options: {
      template: { type: "string" },
      world: { type: "string" },
      yes: { type: "boolean", short: "y", default: false },
      "no-install": { type: "boolean", default: false },
      version: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
}

/** The package manager that runs this command: `npm create`, `pnpm create`, `yarn create`, `bun create`. */
function packageManager(): string {
  const [, name = "npm"] = /^(npm|pnpm|yarn|bun)\//.exec(process.env.npm_config_user_agent ?? "") ?? [];
  return name;
}

function install(manager: string, directory: string): boolean {
  process.stdout.write(`Installing with ${manager} …\n`);
  const { status } = spawnSync(manager, ["install"], {
    cwd: directory,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0)
    process.stderr.write(`${manager} install failed: mend what it says, and run it again there.\n`);
  return status === 0;
}

function closing(
  { template, world }: ProjectOptions,
  directory: string,
  manager: string | undefined,
): string {
  const { address } = WORLDS[world];
  const folder = relative(process.cwd(), directory);
  const lines = [
    ...(folder === "" ? [] : [`cd ${/\s/.test(folder) ? JSON.stringify(folder) : folder}`]),
    ...(manager === undefined ? [] : [`${manager} install`]),
    ...TEMPLATES[template].next,
  ];
  const server =
    address === undefined ? "" : `\nThe address of your server is in .env, as ${address.variable}.\n`;
  return `\nYour first durable charge:\n\n${lines.map((line) => `  ${line}\n`).join("")}${server}\nREADME.md there says how to see it survive a kill.\n`;
}

function ownVersion(): string {
  return JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version;
}
