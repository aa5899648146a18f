/** `node --import perdure/register app.ts`: compiles the directives as modules are loaded. */
import "@perdure/compiler/register";
