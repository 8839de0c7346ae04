// Light, dark, or as the system says. Not a module: it runs before anything is drawn, so that nothing flashes.
(() => {
  const KEY = 'pillion-theme';
  const THEMES = ['system', 'light', 'dark'];
  const SAID = { system: 'as the system says', light: 'light', dark: 'dark' };
  const root = document.documentElement;
  const kept = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // Storage may be forbidden.
    }
  };
  let theme = THEMES.includes(kept()) ? kept() : 'system';

  function apply() {
    root.dataset.theme = theme;
    document.getElementById('theme')?.setAttribute('aria-label', `Theme: ${SAID[theme]}`);
    root.dispatchEvent(new Event('theme'));
  }

  function turn() {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Then it holds for this time.
    }
    apply();
  }

  apply();
  document.addEventListener('DOMContentLoaded', () => {
    document.getElementById('theme').addEventListener('click', turn);
    apply();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
})();
