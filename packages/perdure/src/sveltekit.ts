/** `perdure/sveltekit`: the compiler in SvelteKit, under the name that the Workflow SDK has for it. */
export { type PluginOptions, type VitePlugin, workflow as workflowPlugin } from "./vite.ts";
