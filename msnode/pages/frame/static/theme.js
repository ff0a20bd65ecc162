// Before the page is painted: the theme that was chosen here; else the system's counts.
const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;
