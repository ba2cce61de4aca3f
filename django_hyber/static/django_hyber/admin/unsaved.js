/* Asks before a page with unsaved changes is left. Without this script the changes are lost without a question. */
"use strict";
{
    // After the other scripts, which fill in the order of the channels.
    window.addEventListener("load", () => {
        const form = document.querySelector("#campaign_form, #templatevariant_form");
        if (!form || !form.querySelector("[name='_save'], [name='_continue']")) {
            return;
        }
        const written = () => new URLSearchParams(new FormData(form)).toString();
        // What the server refused is not saved either.
        const saved = form.querySelector(":scope > div > .errornote") ? null : written();
        let isSubmitted = false;
        form.addEventListener("submit", () => {
            isSubmitted = true;
        });
        window.addEventListener("pageshow", () => {
            isSubmitted = false;
        });
        window.addEventListener("beforeunload", (event) => {
            if (!isSubmitted && written() !== saved) {
                event.preventDefault();
            }
        });
    });
}
