"""What walks through the product in a browser share: signing in as a person does, and looking for anything that changes something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.factories import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from agencies.models import User

CHANGES = """() => [...document.querySelectorAll("main form, main [hx-post], main [hx-put], main [hx-delete], main button[formmethod=post]")]
  .filter((node) => node.tagName !== "FORM" || node.method === "post")
  .map((node) => node.tagName.toLowerCase() + " " + (node.getAttribute("action") || node.getAttribute("hx-post") || node.textContent.trim().slice(0, 40)))"""


def sign_in_by_form(page: Page, person: User) -> None:
    """Type the name and the password of a person of ``tests.factories`` into the sign-in page that one has been sent to."""
    page.wait_for_url("**/accounts/login/**")
    page.locator("input[name=login]").fill(person.username)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def changes_nothing(page: Page) -> list[str]:
    """What in the page's middle would send a change: forms that are posted, and elements that post by themselves."""
    return list(page.evaluate(CHANGES))
