import js from '@eslint/js'
import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

/**
 * The layout's arrows (CONTRIBUTING.md): `names, errors` <- `state` <- `step` <- `plan`; `kernel` <- `transaction`;
 * `adapters` beside `kernel`; `commands` knows them all; `main` knows `commands`.
 */
const door = {
  regex: '^(execa|(node:)?child_process)$',
  message: 'only src/kernel starts other programs',
}
const noProcess = { regex: '^(node:)?process$', message: 'only src/main.ts touches `process`' }
const noEffect = {
  regex: '^(?!\\.|node:net$|node:util$|valibot$)',
  message: 'pure: no file, child process, clock or environment here',
}

/** Relative imports other than these modules, siblings in the same folder included where `siblings` says so. */
const only = (modules, { siblings = false } = {}) => ({
  regex: `^(?:${siblings ? '' : '\\./|'}\\.\\./)(?!(?:${modules.join('|')})\\.ts$)`,
  message: `may import only ${modules.join(', ')}${siblings ? ' and its own folder' : ''}`,
})
const noFolder = (...names) => ({
  regex: `^\\.\\.?/(?:.*/)?(?:${names.join('|')})(?:/|\\.ts$)`,
  message: `may not know ${names.join(', ')}`,
})
const imports = (...patterns) => ({ 'no-restricted-imports': ['error', { patterns }] })

const basis = ['names', 'errors']
const values = [
  ...basis,
  'state',
  'firewall-state',
  'owner-state',
  'owner-step',
  'step',
  'words',
  'client-words',
  'networkd-files',
  'manager-words',
  'protocols',
  'nft-names',
]
const border = [
  'names',
  'errors',
  'args',
  'arguments',
  'options',
  'help',
  'config',
  'config-.*',
  'glob',
  'host',
  'toml-.*',
  'version',
]
const effects = ['kernel', 'transaction', 'adapters', 'commands']

export default defineConfig(
  { ignores: ['dist/', 'coverage/', '.cache/', 'node_modules/', 'test/fixtures/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: false, requireDefaultForNonUnion: true },
      ],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'max-params': ['error', 3],
    },
  },
  { files: ['test/**'], rules: { 'max-params': 'off' } },
  { files: ['**/*.mjs'], languageOptions: { globals: { process: 'readonly', console: 'readonly' } } },
  {
    files: ['src/**', 'hooks/**', 'scripts/**', 'dev/**', 'test/**'],
    rules: {
      eqeqeq: 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'no default exports' },
        {
          selector:
            'MemberExpression[object.name=/^(test|it|describe|suite)$/][property.name=/^(only|skip|todo|skipIf|runIf|fails)$/]',
          message: 'every test runs, every time',
        },
      ],
    },
  },
  {
    files: ['src/**'],
    ignores: ['src/main.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'process', message: 'only src/main.ts touches `process`' },
        { name: 'console', message: 'results and messages go through the Host' },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'globalThis', property: 'process', message: 'only src/main.ts touches `process`' },
      ],
      ...imports(door, noProcess),
    },
  },
  { files: ['src/names.ts', 'src/errors.ts'], rules: imports(noEffect, only(basis)) },
  {
    files: ['src/state.ts', 'src/owner-state.ts', 'src/firewall-state.ts'],
    rules: imports(noEffect, only([...basis, 'owner-state', 'firewall-state'])),
  },
  { files: ['src/step.ts', 'src/owner-step.ts', 'src/words.ts'], rules: imports(noEffect, only(values)) },
  {
    files: ['src/plan/**', 'src/report/**'],
    rules: {
      ...imports(noEffect, noFolder(...effects, 'cli', 'main')),
      'no-restricted-globals': [
        'error',
        'process',
        'console',
        'Date',
        'performance',
        'setTimeout',
        'setInterval',
      ],
    },
  },
  { files: ['src/plan/**'], rules: imports(noEffect, only(values, { siblings: true })) },
  {
    files: ['src/kernel/**'],
    rules: imports(
      { ...noProcess, allowImportNames: ['kill', 'hrtime'] }, // they touch nothing of this process
      noFolder('plan', 'report', 'transaction', 'adapters', 'commands', 'cli', 'main'),
    ),
  },
  {
    files: ['src/adapters/**'],
    rules: imports(door, noProcess, noFolder('transaction', 'commands', 'cli', 'main')),
  },
  { files: ['src/transaction/**'], rules: imports(door, noProcess, noFolder('commands', 'cli', 'main')) },
  { files: ['src/commands/**'], rules: imports(door, noProcess, noFolder('cli', 'main')) },
  {
    files: border.filter((name) => !basis.includes(name)).map((name) => `src/${name.replace('.*', '*')}.ts`),
    rules: imports(door, noProcess, only(border)),
  },
  { files: ['src/cli.ts'], rules: imports(door, noProcess, noFolder(...effects, 'main')) },
  { files: ['src/main.ts'], rules: imports(door, noFolder(...effects)) },
)
