"""The models of a project that uses the package."""

from __future__ import annotations

import uuid

from django.db import models


class Customer(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    first_name = models.CharField(max_length=50)
    phone = models.CharField(max_length=30)
    city = models.CharField(max_length=50, blank=True)

    def __str__(self) -> str:
        return self.first_name


class Order(models.Model):
    class Status(models.TextChoices):
        NEW = "new"
        SHIPPED = "shipped"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True, related_name="orders")
    phone = models.CharField(max_length=30)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.NEW)

    def __str__(self) -> str:
        return f"Order {self.pk}"
