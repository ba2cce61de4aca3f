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


class Card(models.Model):
    """A model whose primary key is a text."""

    number = models.CharField(primary_key=True, max_length=60)
    phone = models.CharField(max_length=30)

    def __str__(self) -> str:
        return self.number


class Measure(models.Model):
    """A model whose primary key is no whole number."""

    at = models.FloatField(primary_key=True)
    phone = models.CharField(max_length=30)

    def __str__(self) -> str:
        return str(self.at)


class Seat(models.Model):
    """A model whose primary key has two columns."""

    pk = models.CompositePrimaryKey("row", "place")
    row = models.IntegerField()
    place = models.IntegerField()
    phone = models.CharField(max_length=30)

    def __str__(self) -> str:
        return f"{self.row}/{self.place}"


class Day(models.Model):
    """A model whose primary key is a date."""

    day = models.DateField(primary_key=True)
    phone = models.CharField(max_length=30)

    def __str__(self) -> str:
        return str(self.day)


class Rate(models.Model):
    """A model whose primary key has a fixed number of places."""

    value = models.DecimalField(primary_key=True, max_digits=6, decimal_places=2)

    def __str__(self) -> str:
        return str(self.value)


class Profile(models.Model):
    """A model whose primary key is that of another one."""

    customer = models.OneToOneField(Customer, primary_key=True, on_delete=models.CASCADE)

    def __str__(self) -> str:
        return str(self.customer)
