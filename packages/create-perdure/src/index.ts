/**
 * `create-perdure`: what `npm create perdure` writes, for programs that write it themselves.
 */
export { CreateError, createProject, type NewProject, type ProjectOptions } from "./create-project.ts";
export { TEMPLATES, type TemplateName } from "./templates.ts";
export { WORLDS, type WorldName } from "./worlds.ts";
